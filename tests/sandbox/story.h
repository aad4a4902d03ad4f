#ifndef SANDBOX_STORY_H
#define SANDBOX_STORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct account;
struct err;

enum { STORY_KINDS = 12 };

/* What kinds of things happen, how often, and on which computers. */
struct story_maker {
	uint64_t weight[STORY_KINDS];
	uint64_t weights;
	uint64_t seed;
	uint64_t stories;
	uint64_t age_s;	   /* events lie that far in the past */
	uint64_t spread_s; /* and are spread over that much before */
	bool unique_hosts; /* each story on a computer of its own */
	char prefix[32];   /* of unique hosts' names */
};

bool story_maker_init(struct story_maker *maker, const json_t *spec, struct err *err);
/* The computer the next story is about; new reference. */
json_t *story_computer(struct story_maker *maker, struct account *account);
/* The events of one story, at most `most` of them; new reference. */
json_t *story_make(struct story_maker *maker, const json_t *computer, uint64_t most);

#endif
