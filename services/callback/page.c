/* Pages that people see. */
#include "page.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "services/callback/page.css.h"

enum { PAGE_MAX = 64 * 1024, POLICY_MAX = 256 };

static const char *const tones[] = {
	[PAGE_ASK] = "ask",
	[PAGE_DONE] = "done",
	[PAGE_REFUSED] = "refused",
};

/* ---- what browsers are told ---- */

static pthread_once_t policy_once = PTHREAD_ONCE_INIT;
static char policy[POLICY_MAX];

/* The style sheet is named by its hash: no other style is applied, and no script runs. */
static void make_policy(void)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char text[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];

	(void)crypto_hash_sha256(hash, (const unsigned char *)page_css, strlen(page_css));
	sodium_bin2base64(text, sizeof(text), hash, sizeof(hash),
			  sodium_base64_VARIANT_ORIGINAL);
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; "
		 "base-uri 'none'; frame-ancestors 'none'",
		 text);
}

static void add_headers(struct httpd_exchange *exchange)
{
	static const struct {
		const char *name, *value;
	} headers[] = {
		{ "Content-Security-Policy", policy },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Frame-Options", "DENY" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "X-Robots-Tag", "noindex, nofollow" },
		{ "Vary", "Accept" },
	};

	(void)pthread_once(&policy_once, make_policy);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		httpd_answer_header(exchange, headers[i].name, headers[i].value);
}

/* ---- pages ---- */

void page_add(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		case '\'':
			buf_adds(out, "&#39;");
			break;
		default:
			buf_add(out, text, 1);
		}
	}
}

void page_add_paragraph(struct buf *out, const char *text)
{
	buf_adds(out, "<p>");
	page_add(out, text);
	buf_adds(out, "</p>\n");
}

void page_add_list(struct buf *out, const char *const *items, size_t count)
{
	buf_adds(out, "<ul>\n");
	for (size_t i = 0; i < count; i++) {
		buf_adds(out, "<li>");
		page_add(out, items[i]);
		buf_adds(out, "</li>\n");
	}
	buf_adds(out, "</ul>\n");
}

void page_begin(struct buf *out, enum page_tone tone, const char *title)
{
	buf_init(out, PAGE_MAX);
	buf_adds(out,
		 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		 "<meta name=\"robots\" content=\"noindex\">\n<title>");
	page_add(out, title);
	buf_addf(out,
		 " - Tocsin</title>\n<style>%s</style>\n</head>\n<body>\n<main class=\"%s\">\n"
		 "<p class=\"brand\">Tocsin</p>\n<h1>",
		 page_css, tones[tone]);
	page_add(out, title);
	buf_adds(out, "</h1>\n");
}

enum httpd_outcome page_answer(struct httpd_exchange *exchange, int status, struct buf *out)
{
	buf_adds(out, "</main>\n</body>\n</html>\n");
	add_headers(exchange);
	httpd_answer(exchange, status, "text/html; charset=utf-8", buf_text(out), out->size);
	buf_done(out);
	return HTTPD_DONE;
}

/* Whether the sender reads HTML, as browsers say they do. */
static bool wants_page(const struct httpd_exchange *exchange)
{
	const char *accept = httpd_header(exchange, "Accept");

	return accept && strstr(accept, "text/html");
}

enum httpd_outcome page_answer_problem(struct httpd_exchange *exchange, enum problem problem,
				       const char *advice)
{
	const struct problem_row *row = problem_row(problem);
	struct buf out;

	if (!wants_page(exchange)) {
		httpd_answer_header(exchange, "Vary", "Accept");
		return problem_answer(exchange, problem, advice);
	}
	problem_count(problem);
	page_begin(&out, PAGE_REFUSED, row->title);
	page_add_paragraph(&out, advice ? advice : row->detail);
	buf_adds(&out, "<p class=\"foot\">Nothing was changed by opening this page.</p>\n");
	return page_answer(exchange, row->status, &out);
}

enum httpd_outcome page_answer_problem_later(struct httpd_exchange *exchange,
					     enum problem problem, const char *advice,
					     uint64_t retry_after_ms)
{
	problem_retry_after(exchange, retry_after_ms);
	return page_answer_problem(exchange, problem, advice);
}
