#ifndef TICKET_PROSE_H
#define TICKET_PROSE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Outside strings made fit for tickets. All of them are UTF-8, since they come out of JSON. */

/* One line: controls and runs of blanks become one blank; at most max characters, the last of
 * which is "…" when something was cut. "" for NULL. */
const char *prose_line(struct arena *arena, const char *s, size_t max);
/* The same of a text with lines: they and tabs stay, other controls become blanks. */
const char *prose_lines(struct arena *arena, const char *s, size_t max);
/* At most max bytes, cut between characters. */
const char *prose_cut(struct arena *arena, const char *s, size_t max);
/* Characters, not bytes. */
size_t prose_length(const char *s);
/* What java.net.URI, and so CTIA, takes for a URI; and what may stand in a note as a link. */
bool prose_is_uri(const char *s);

#endif
