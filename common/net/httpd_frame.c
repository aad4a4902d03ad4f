/* Where a request ends and whom it is for: what two readers could see differently is refused.
 */
#include "net/httpd_frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct header_count {
	unsigned hosts, lengths, encodings, upgrades;
	bool malformed, expects;
	const char *line; /* where the next one must begin */
};

static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789!#$%&'*+-.^_`|~";

/* Some servers read "Content_Length" as a Content-Length; the others do not. */
static bool is_disguised(const char *name)
{
	return strcasecmp(name, "Content_Length") == 0 ||
	       strcasecmp(name, "Transfer_Encoding") == 0;
}

static bool has_control(const char *value)
{
	for (; *value; value++) {
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return true;
	}
	return false;
}

/*
 * Before 1.0 the library takes a lone CR or LF for the end of a line and joins folded ones. It
 * puts NULs over line ends, in place: after CRLF there are two and then the next header, after
 * anything else there are not, and an empty line is two more. (What is looked at lies in the
 * connection's memory: the library keeps its list of headers behind it.)
 */
static void check_line_end(struct header_count *count, const char *name, const char *value)
{
#if MHD_VERSION < 0x01000000
	if (count->line != name)
		count->malformed = true;
	count->line = value + strlen(value) + 2;
	if (count->line[-1] != '\0')
		count->malformed = true;
#else
	(void)count;
	(void)name;
	(void)value;
#endif
}

static void check_empty_line(struct header_count *count)
{
#if MHD_VERSION < 0x01000000
	if (!count->malformed && (count->line[0] != '\0' || count->line[1] != '\0'))
		count->malformed = true;
#else
	(void)count;
#endif
}

static enum MHD_Result count_header(void *opaque, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct header_count *count = opaque;

	(void)kind;
	/* "Content-Length : 5" is one header to some servers and another to others. */
	if (*name == '\0' || name[strspn(name, token)] != '\0' || is_disguised(name) ||
	    !value || has_control(value)) {
		count->malformed = true;
		return MHD_YES;
	}
	check_line_end(count, name, value);
	count->hosts += strcasecmp(name, "Host") == 0;
	count->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
	count->upgrades += strcasecmp(name, "Upgrade") == 0;
	if (strcasecmp(name, "Expect") == 0 && strcasecmp(value, "100-continue") != 0)
		count->expects = true;
	if (strcasecmp(name, "Content-Length") == 0) {
		count->lengths++;
		if (*value == '\0' || value[strspn(value, "0123456789")] != '\0')
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

/* "GET /path HTTP/1.1", nothing else: no other server's URL, no blanks that somebody else would
 * split differently. */
static bool line_good(const char *method, const char *path, const char *version)
{
	return *method != '\0' &&
	       method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0' && *path == '/' &&
	       (strcmp(version, "HTTP/1.1") == 0 || strcmp(version, "HTTP/1.0") == 0);
}

const char *httpd_frame_fault(struct MHD_Connection *connection, const char *method,
			      const char *path, const char *version, size_t *ret_length)
{
	struct header_count count = { .line = version + strlen(version) + 2 };
	bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	*ret_length = 0;
	if (!line_good(method, path, version))
		return "malformed request line";
	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &count);
	check_empty_line(&count);
	if (count.malformed)
		return "malformed header";
	if (count.hosts != 1)
		return "exactly one Host is needed";
	if (count.encodings > 0)
		return "Transfer-Encoding is not accepted";
	if (count.lengths > 1)
		return "more than one Content-Length";
	if (count.upgrades > 0)
		return "no other protocol is spoken here";
	if (count.expects)
		return "only 100-continue can be expected";
	if (has_body(connection, ret_length) && reads)
		return "a body is not accepted here";
	return NULL;
}
