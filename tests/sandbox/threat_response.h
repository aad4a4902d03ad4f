#ifndef SANDBOX_THREAT_RESPONSE_H
#define SANDBOX_THREAT_RESPONSE_H

#include <jansson.h>

struct account;
struct ctia;

extern const struct vendor threat_response_vendor;

/* The entities of an organisation; the account must be locked. */
struct ctia *threat_response_ctia(struct account *account);

#endif
