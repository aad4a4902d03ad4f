#ifndef NET_HTTPD_WATCH_H
#define NET_HTTPD_WATCH_H

#include <stdbool.h>

#include <microhttpd.h>

/* Inside net only: the absolute times of a server's connections, and the count of exchanges
 * under way. libmicrohttpd's own timeout starts anew with every byte, so that one who sends a
 * byte a second holds a connection for ever. Thread-safe. */
struct httpd_watch;

/* A connection has idle_ms to begin, then request_ms until the request is complete; from
 * httpd_watch_renew() on request_ms again until the answer is taken. Then it is shut down. */
struct httpd_watch *httpd_watch_new(unsigned request_ms, unsigned idle_ms);
void httpd_watch_free(struct httpd_watch *watch); /* after the server has stopped */

/* MHD_NotifyConnectionCallback; opaque is the watch. */
void httpd_watch_connection(void *opaque, struct MHD_Connection *connection, void **context,
			    enum MHD_ConnectionNotificationCode code);
void httpd_watch_pause(struct httpd_watch *watch, struct MHD_Connection *connection);
void httpd_watch_renew(struct httpd_watch *watch, struct MHD_Connection *connection);

void httpd_watch_enter(struct httpd_watch *watch);
void httpd_watch_leave(struct httpd_watch *watch, struct MHD_Connection *connection);
/* Waits until no exchange is under way; false when grace_ms passed first. */
bool httpd_watch_wait(struct httpd_watch *watch, unsigned grace_ms);

#endif
