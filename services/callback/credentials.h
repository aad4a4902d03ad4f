#ifndef CALLBACK_CREDENTIALS_H
#define CALLBACK_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/metric.h"
#include "bus/bus.h"
#include "model/callback_record.h"
#include "model/signature.h"

struct service;
struct vault;

/*
 * Whom we know: `tocsin:callback:credentials` as setup last wrote it, its seals opened. Looked
 * at every second by a thread of its own and read again when its "#version" changed. Editions
 * are immutable; who holds one keeps it alive. Thread-safe.
 */
struct credentials_customer {
	struct callback_customer *record;
	struct signature_keys hmac;
};

struct credentials_instance {
	struct callback_instance *record;
	struct signature_keys hmac;
};

struct credentials; /* one edition */
struct credentials_book;

struct credentials_book *credentials_book_new(const struct bus_settings *settings,
					      const struct vault *vault,
					      struct service *service, struct err *err);
/* Ends the thread; to be called before service_finish(). */
void credentials_book_stop(struct credentials_book *book);
void credentials_book_free(struct credentials_book *book); /* stopped; NULL is fine */
/* service_check: an edition was read, and Redis answered lately. */
bool credentials_ready(void *book, char *ret_text);

/* NULL before the first. Give it back. */
const struct credentials *credentials_get(struct credentials_book *book);
void credentials_put(struct credentials_book *book, const struct credentials *credentials);

/* NULL when unknown, or when credentials is NULL. */
const struct credentials_customer *credentials_customer(const struct credentials *credentials,
							const char *id);
/* Of those whose tickets are in that account, the one of that name (what people call it);
 * without a name, the only one. NULL when there is none, or more than one. */
const struct credentials_customer *credentials_customer_named(
    const struct credentials *credentials, const char *account, const char *name);
/* By the account's id, and by the OAuth client's. */
const struct credentials_instance *credentials_instance(const struct credentials *credentials,
							const char *account);
const struct credentials_instance *credentials_client(const struct credentials *credentials,
						      const char *client_id);

/* Requests of clones by account, shown from the start for each that may call. */
extern struct metric credentials_clones;
extern struct metric *const credentials_metrics[];

#endif
