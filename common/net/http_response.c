/* What an answer says. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "net/http.h"

static const uint64_t retry_after_max_ms = 24ULL * 60 * 60 * 1000;

void http_response_done(struct http_response *response)
{
	free(response->body);
	free(response->headers);
	*response = (struct http_response){ 0 };
}

const char *http_response_header(const struct http_response *response, const char *name)
{
	size_t size = strlen(name);

	/* Lines end with a NUL, the block with an empty line. */
	for (const char *line = response->headers; line && *line; line += strlen(line) + 1) {
		if (strncasecmp(line, name, size) != 0 || line[size] != ':')
			continue;
		const char *value = line + size + 1;
		return value + strspn(value, " \t");
	}
	return NULL;
}

/* "120", "3172s", "1.5": to milliseconds, a fraction counts as a whole second. */
static bool parse_seconds(const char *text, uint64_t *ret_ms)
{
	uint64_t seconds = 0;
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits;

	if (digits == 0)
		return false;
	for (size_t i = 0; i < digits; i++)
		if (seconds <= retry_after_max_ms)
			seconds = seconds * 10 + (uint64_t)(text[i] - '0');
	if (*rest == '.') {
		size_t fraction = strspn(rest + 1, "0123456789");
		seconds += strspn(rest + 1, "0") < fraction;
		rest += fraction + 1;
	}
	if (*rest == 's' || *rest == 'S')
		rest++;
	rest += strspn(rest, " \t");
	*ret_ms = seconds > retry_after_max_ms / 1000 ? retry_after_max_ms : seconds * 1000;
	return *rest == '\0';
}

uint64_t http_retry_after_ms(const struct http_response *response)
{
	const char *text = http_response_header(response, "Retry-After");
	const char *date = http_response_header(response, "Date");
	uint64_t ms, until, now;

	if (!text)
		return 0;
	if (parse_seconds(text, &ms))
		return ms;
	if (!clock_parse_http(text, &until))
		return 0;
	/* The peer's clock, if it shows it: ours may be off by more than the wait. */
	if (!date || !clock_parse_http(date, &now))
		now = clock_wall_ms();
	if (until <= now)
		return 0;
	return until - now < retry_after_max_ms ? until - now : retry_after_max_ms;
}

bool http_is_json(const struct http_response *response)
{
	const char *type = response->content_type ? response->content_type : "";
	size_t size = strcspn(type, "; \t");

	if (size == 16 && strncasecmp(type, "application/json", size) == 0)
		return true;
	if (size == 9 && strncasecmp(type, "text/json", size) == 0)
		return true;
	return size > 5 && strncasecmp(type + size - 5, "+json", 5) == 0;
}

enum err_kind http_status_kind(int status)
{
	if (status >= 200 && status < 300)
		return ERR_NONE;
	if (status >= 500)
		return ERR_TRANSIENT;
	switch (status) {
	case 401:
	case 402:
	case 403:
	case 407:
		return ERR_ACCOUNT;
	case 408:
	case 425:
	case 429:
		return ERR_TRANSIENT;
	default:
		/* A redirect nobody asked for: the address is wrong, for every event alike. */
		return status < 400 ? ERR_ACCOUNT : ERR_PERMANENT;
	}
}
