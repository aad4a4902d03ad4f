/* Headers as a vendor may send them, through everything that reads them. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/http.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char *const names[] = { "Retry-After", "Date", "Content-Type",
					     "Location" };
	struct http_response response = { .status = size > 0 ? 200 + data[0] : 0 };
	uint64_t ms;

	/* Lines as http_call.c leaves them: each ended by a NUL, none empty but the last. */
	struct buf block;
	buf_init(&block, 1 << 20);
	for (size_t i = 1; i < size; i++) {
		bool end = data[i] == '\n' || data[i] == '\0';
		if (!end || (block.size > 0 && block.data[block.size - 1] != '\0'))
			buf_add(&block, end ? "" : (const char *)data + i, 1);
	}
	buf_add(&block, "\0", 2);
	response.headers = buf_take(&block, NULL);
	const char *type = http_response_header(&response, "Content-Type");
	response.content_type = type ? type : "";

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = http_response_header(&response, names[i]);
		if (!value)
			continue;
		char text[CLOCK_TEXT_SIZE];
		uint64_t again;
		if (clock_parse(value, &ms)) {
			clock_format(ms, text);
			must(clock_parse(text, &again) && again == ms);
		}
		if (clock_parse_span(value, &ms)) {
			clock_format_span(ms, text);
			must(clock_parse_span(text, &again) && again == ms);
		}
	}
	must(http_retry_after_ms(&response) <= 86400000);
	http_is_json(&response);
	must((http_status_kind(response.status) == ERR_NONE) == (response.status / 100 == 2));
	http_response_done(&response);
	return 0;
}
