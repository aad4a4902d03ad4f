#ifndef NET_HTTPD_FRAME_H
#define NET_HTTPD_FRAME_H

#include <stddef.h>

#include <microhttpd.h>

/* Inside net only. Why this request is refused unread: where it ends, or whom it is for, could
 * be read differently by a proxy in front. NULL when it is fine, with the length of its body.
 */
const char *httpd_frame_fault(struct MHD_Connection *connection, const char *method,
			      const char *path, const char *version, size_t *ret_length);

#endif
