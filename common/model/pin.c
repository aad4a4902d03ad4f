/* Pinned collectors. */
#include "model/pin.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/customer.h"

enum { ANNOUNCEMENT_MAX = 64 * 1024 };

static bool pin_add(struct pin *pin, const char *id, size_t size, struct err *err)
{
	char *copy = xstrndup(id, size);

	if (!customer_id_valid(copy)) {
		bool fine =
		    err_set(err, ERR_PERMANENT,
			    "\"%.40s\" is not a customer id (1 to 24 of a-z 0-9 -)", copy);

		free(copy);
		return fine;
	}
	pin->customers =
	    xrealloc(pin->customers, (pin->customer_count + 1) * sizeof(*pin->customers));
	pin->customers[pin->customer_count++] = copy;
	return true;
}

bool pin_init(struct pin *pin, const char *customers, const char *label, struct err *err)
{
	*pin = (struct pin){ 0 };
	for (const char *at = customers; at && *at;) {
		size_t size = strcspn(at, ", ");

		if (size > 0 && !pin_add(pin, at, size, err)) {
			pin_done(pin);
			return false;
		}
		at += size;
		at += strspn(at, ", ");
	}
	if (label && *label)
		pin->label = xstrdup(label);
	return true;
}

void pin_done(struct pin *pin)
{
	for (size_t i = 0; i < pin->customer_count; i++)
		free(pin->customers[i]);
	free(pin->customers);
	free(pin->label);
	*pin = (struct pin){ 0 };
}

bool pin_is_set(const struct pin *pin)
{
	return pin->label || pin->customer_count > 0;
}

bool pin_matches(const struct pin *pin, const struct customer *customer)
{
	if (pin->label && customer->label && strcmp(pin->label, customer->label) == 0)
		return true;
	for (size_t i = 0; i < pin->customer_count; i++) {
		if (strcmp(pin->customers[i], customer->id) == 0)
			return true;
	}
	return false;
}

char *pin_encode(const struct pin *pin)
{
	struct buf out;

	buf_init(&out, ANNOUNCEMENT_MAX);
	if (pin->label)
		buf_addf(&out, "label=%s", pin->label);
	for (size_t i = 0; i < pin->customer_count; i++) {
		if (i == 0)
			buf_adds(&out, pin->label ? " customers=" : "customers=");
		else
			buf_adds(&out, ",");
		buf_adds(&out, pin->customers[i]);
	}
	return buf_take(&out, NULL);
}

void pin_decode(struct pin *ret_pin, const char *text)
{
	const char *customers = strstr(text, "customers=");
	char *label = NULL;

	if (strncmp(text, "label=", 6) == 0)
		label = xstrndup(text + 6, strcspn(text + 6, " "));
	pin_init(ret_pin, customers ? customers + strlen("customers=") : NULL, label, NULL);
	free(label);
}
