#ifndef JQ_NUMBER_H
#define JQ_NUMBER_H

#include <stddef.h>

struct buf;

/*
 * Appends JSON to out with every whole number beyond +-2^53 as a text of its digits, whatever
 * surrounds it; nothing else changes. jq keeps numbers as doubles, so that two vendor ids that
 * differ in their last digits would become one. "Whole" is what is written without fraction
 * and exponent.
 */
void number_add_exact(struct buf *out, const char *json, size_t size);

#endif
