#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "args.h"
#include "base/err.h"
#include "csv.h"
#include "secret.h"

/*
 * One row of a table of customers as a draft. Two kinds of table are read: our own, with a
 * column per option of `customer add` (- written as _) plus id and <vendor>_secret, and the
 * older one of base64 credentials (customer_name, encoded_amp_api_credentials,
 * encoded_umb_api_credentials, umb_org_ID).
 */

/* Refuses columns that are neither, naming the nearest. options is the table's row of
 * `customer import`. */
bool import_check_columns(const struct csv *csv, const char *where,
			  const struct command_option *options, struct err *err);

/* The row's draft, secrets inside, to be released with draft_free(). args gives what the row
 * leaves empty. NULL with err, beginning with where and the line. */
json_t *import_row(const struct csv *csv, const struct csv_row *row, const char *where,
		   const struct args *args, const struct command_option *options,
		   struct err *err);

/* An id out of a name: "Müller & Söhne GmbH" becomes "m-ller-s-hne-gmbh"; at most 24 bytes.
 * ret_id holds 25 bytes; "" when nothing of the name can be used. */
void import_id(const char *name, char *ret_id);

/* base64(id:secret), standard or URL-safe alphabet, with or without padding, into its halves:
 * *ret_id is freed, *ret_secret wiped with vault_wipe() by the caller. */
bool import_credentials(const char *encoded, char **ret_id, char **ret_secret, struct err *err);

#endif
