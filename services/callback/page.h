#ifndef CALLBACK_PAGE_H
#define CALLBACK_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/httpd.h"
#include "problem.h"

/*
 * Pages that people see: plain HTML without scripts, one style sheet inside, nothing from
 * elsewhere. Never stored, framed or told to others by a Referer.
 */
enum page_tone { PAGE_ASK, PAGE_DONE, PAGE_REFUSED };

/* Begins a page with its heading; what is added after goes into <main>. */
void page_begin(struct buf *out, enum page_tone tone, const char *title);
void page_add(struct buf *out, const char *text); /* escaped, in texts and attributes */
void page_add_paragraph(struct buf *out, const char *text);
void page_add_list(struct buf *out, const char *const *items, size_t count);
/* Ends it, answers with it, and frees out. */
enum httpd_outcome page_answer(struct httpd_exchange *exchange, int status, struct buf *out);

/* The problem as a page for who reads pages, with advice below its title (NULL: the row's
 * detail); for others as problem details. */
enum httpd_outcome page_answer_problem(struct httpd_exchange *exchange, enum problem problem,
				       const char *advice);
/* The same with Retry-After. */
enum httpd_outcome page_answer_problem_later(struct httpd_exchange *exchange,
					     enum problem problem, const char *advice,
					     uint64_t retry_after_ms);

#endif
