#ifndef SANDBOX_SNOW_RULE_H
#define SANDBOX_SNOW_RULE_H

#include <jansson.h>
#include <stdbool.h>

struct account;
struct err;
struct snow;
struct snow_row;

/*
 * The business rules of an instance, run for real: what `tocsin servicenow kit` installs
 * (asynchronous, by OAuth client credentials), or the ancestors' (before the save, which waits
 * for it).
 */
enum snow_rule_form { SNOW_RULE_NONE, SNOW_RULE_KIT, SNOW_RULE_ANCESTORS };

struct snow_rule {
	enum snow_rule_form form;
	char *url;	 /* of the callback service */
	char *client_id; /* of the OAuth profile */
	char *client_secret;
	char *instance_name; /* property of this instance */
	char *user;	     /* whose changes are not told */
	bool lost;	     /* calls go nowhere */
};

/* {"form": "kit" | "ancestors" | "none", "url", "client_id", "client_secret", "instance_name",
 * "user", "lost"} */
bool snow_rule_configure(struct snow_rule *rule, const json_t *settings, struct err *err);
void snow_rule_done(struct snow_rule *rule);
void snow_rule_copy(struct snow_rule *ret_rule, const struct snow_rule *rule,
		    const char *instance_name);

/* The record's state was changed from `from` by the user; called with the account locked. What
 * was called and answered is kept in snow->outbound. */
void snow_rule_run(struct account *account, struct snow *snow, const struct snow_row *row,
		   const char *from, const char *user);

/* The thread that runs asynchronous rules. */
bool snow_rules_start(struct err *err);
void snow_rules_stop(void); /* after what is in hand */

#endif
