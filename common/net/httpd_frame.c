#include "net/httpd_frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct header_count {
	unsigned hosts, lengths, encodings;
	bool malformed;
};

static enum MHD_Result count_header(void *opaque, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct header_count *count = opaque;
	static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789!#$%&'*+-.^_`|~";

	(void)kind;
	/* "Content-Length : 5" is one header to some servers and another to others. */
	if (*name == '\0' || name[strspn(name, token)] != '\0')
		count->malformed = true;
	if (strcasecmp(name, "Host") == 0)
		count->hosts++;
	if (strcasecmp(name, "Transfer-Encoding") == 0)
		count->encodings++;
	if (strcasecmp(name, "Content-Length") == 0) {
		count->lengths++;
		if (!value || *value == '\0' || value[strspn(value, "0123456789")] != '\0')
			count->malformed = true;
	}
	return MHD_YES;
}

static bool has_body(struct MHD_Connection *connection, size_t *ret_length)
{
	const char *text =
	    MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	*ret_length = text ? strtoull(text, NULL, 10) : 0; /* too large to count: the maximum */
	return *ret_length > 0;
}

const char *httpd_frame_fault(struct MHD_Connection *connection, const char *method,
			      size_t *ret_length)
{
	struct header_count count = { 0 };
	bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	*ret_length = 0;
	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &count);
	if (count.malformed)
		return "malformed header";
	if (count.hosts != 1)
		return "exactly one Host is needed";
	if (count.encodings > 0)
		return "Transfer-Encoding is not accepted";
	if (count.lengths > 1)
		return "more than one Content-Length";
	if (has_body(connection, ret_length) && reads)
		return "a body is not accepted here";
	return NULL;
}
