#ifndef NET_HTTPD_EXCHANGE_H
#define NET_HTTPD_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

#include "net/httpd.h"

/* Inside net only: a server, and what libmicrohttpd calls for each of its requests. */
struct httpd {
	struct httpd_settings settings;
	struct MHD_Daemon *daemon;
	struct httpd_watch *watch;
	struct httpd_tls *tls; /* NULL: plain HTTP */
	int listener;	       /* after draining, ours to close */
	_Atomic bool draining;
	_Atomic size_t body_bytes; /* of all exchanges */
	struct httpd_peers *peers;
	pthread_mutex_t pending; /* of the completed and suspended flags of every exchange */
};

/* Called when the headers are there, for each piece of the body, at its end, and again after a
 * pending answer was completed. */
enum MHD_Result httpd_on_request(void *opaque, struct MHD_Connection *connection,
				 const char *path, const char *method, const char *version,
				 const char *data, size_t *size, void **context);
void httpd_on_completed(void *opaque, struct MHD_Connection *connection, void **context,
			enum MHD_RequestTerminationCode code);
/* A zero byte would end the path early, "/healthz%00/other": such texts stay as they are. */
size_t httpd_unescape(void *opaque, struct MHD_Connection *connection, char *text);

#endif
