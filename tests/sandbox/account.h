#ifndef SANDBOX_ACCOUNT_H
#define SANDBOX_ACCOUNT_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct request;
struct response;

/* A Secure Endpoint customer, a Threat Response organisation, a ServiceNow instance ... */
struct account {
	const struct vendor *vendor;
	char *name;
	char *key;	      /* what a call is recognised by; often the client id */
	pthread_mutex_t lock; /* guards state: held while a call is served */
	void *state;	      /* the vendor's own */
};

/* How a vendor says no; faults use it so that they look like the vendor. */
enum refusal { REFUSAL_CREDENTIALS, REFUSAL_TOKEN, REFUSAL_THROTTLED, REFUSAL_BROKEN };

/* What stands in for one vendor. All functions but open, close, recognise and refuse are called
 * with the account locked. */
struct vendor {
	const char *name;
	const char *mount; /* first path part, "amp" */
	const char *key;   /* the setting that becomes account->key, "client_id" */
	void *(*open)(const struct account *account);
	void (*close)(void *state);
	/* Applies settings on top of what is there; called again by each POST of accounts. */
	bool (*configure)(struct account *account, const json_t *settings, struct err *err);
	/* What a call wants to be served for; NULL when nothing in it says so. In its arena. */
	const char *(*recognise)(const struct request *request);
	/* account is NULL for unknown credentials. */
	void (*serve)(struct account *account, const struct request *request,
		      struct response *response);
	void (*refuse)(enum refusal refusal, const struct request *request,
		       struct response *response);
	void (*revoke)(struct account *account); /* every token ends; NULL: has no tokens */
	/* Takes in records as the vendor would show them, all or none; NULL: has none. */
	bool (*add_events)(struct account *account, const json_t *events, struct err *err);
	json_t *(*dump)(struct account *account);
	json_t *(*summarise)(struct account *account);
};

struct registry;

struct registry *registry_new(const struct vendor *const *vendors);
void registry_free(struct registry *registry);

const struct vendor *registry_vendor(struct registry *registry, const char *name);
const struct vendor *registry_mounted(struct registry *registry, const char *mount);

/* By name or by key; NULL when unknown. Accounts live as long as the registry. */
struct account *registry_find(struct registry *registry, const struct vendor *vendor,
			      const char *name);
/* {"vendor", "account", ...settings}: makes the account or changes it. */
struct account *registry_apply(struct registry *registry, const json_t *settings,
			       struct err *err);
/* Forgets the data of an account, keeps its settings. */
bool registry_reset(struct registry *registry, struct account *account, struct err *err);
/* Calls visit for each account, in the order they were made. */
void registry_each(struct registry *registry,
		   void (*visit)(struct account *account, void *opaque), void *opaque);

/* Helpers for configure: false only when the key is there with a wrong type. */
bool setting_number(const json_t *settings, const char *key, uint64_t *value, struct err *err);
bool setting_bool(const json_t *settings, const char *key, bool *value, struct err *err);
bool setting_text(const json_t *settings, const char *key, char **value, struct err *err);

#endif
