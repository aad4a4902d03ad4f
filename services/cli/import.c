/* Rows of tables become drafts of customers. */
#include "import.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "draft.h"
#include "model/base64.h"
#include "model/vault.h"

enum { ID_MAX = 24, CREDENTIALS_MAX = 4096, NAMES_MAX = 128, COLUMN_MAX = 64 };

/* In the spelling of csv.columns, which is lower case. */
#define OLD_NAME	 "customer_name"
#define OLD_CREDENTIALS	 "encoded_amp_api_credentials"
#define OLD_UMBRELLA	 "encoded_umb_api_credentials"
#define OLD_UMBRELLA_ORG "umb_org_id"

static const char *const secret_columns[] = { "secure_endpoint_secret", "umbrella_secret",
					      "threat_response_secret", "servicenow_secret",
					      "defender_secret",	NULL };
static const char *const other_columns[] = { "id",	   OLD_NAME,	     OLD_CREDENTIALS,
					     OLD_UMBRELLA, OLD_UMBRELLA_ORG, NULL };

static void column_of(const struct command_option *option, char *ret_column)
{
	snprintf(ret_column, COLUMN_MAX, "%s", option->name);
	for (char *c = ret_column; *c; c++) {
		if (*c == '-')
			*c = '_';
	}
}

/* ---- columns ---- */

static bool is_known(const char *column, char names[][COLUMN_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], column) == 0)
			return true;
	}
	return false;
}

bool import_check_columns(const struct csv *csv, const char *where,
			  const struct command_option *options, struct err *err)
{
	char names[NAMES_MAX][COLUMN_MAX];
	const char *list[NAMES_MAX + 1] = { 0 };
	size_t count = 0;

	for (; options->name && count < NAMES_MAX - 16; options++) {
		if (options->sets)
			column_of(options, names[count++]);
	}
	for (size_t i = 0; secret_columns[i]; i++)
		snprintf(names[count++], COLUMN_MAX, "%s", secret_columns[i]);
	for (size_t i = 0; other_columns[i]; i++)
		snprintf(names[count++], COLUMN_MAX, "%s", other_columns[i]);
	for (size_t i = 0; i < count; i++)
		list[i] = names[i];
	for (size_t i = 0; i < csv->column_count; i++) {
		const char *column = csv->columns[i];

		if (is_known(column, names, count))
			continue;
		const char *nearest = nearest_name(list, column);
		return err_set(err, ERR_PERMANENT, "%s: line 1: unknown column '%s'%s%s%s",
			       where, column, nearest ? ": did you mean '" : "",
			       nearest ? nearest : ": see tocsin help customer import",
			       nearest ? "'?" : "");
	}
	return true;
}

/* ---- fields ---- */

void import_id(const char *name, char *ret_id)
{
	size_t size = 0;

	for (; *name && size < ID_MAX; name++) {
		char c = *name;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			ret_id[size++] = c;
		else if (size > 0 && ret_id[size - 1] != '-')
			ret_id[size++] = '-';
	}
	while (size > 0 && ret_id[size - 1] == '-')
		size--;
	ret_id[size] = '\0';
}

static bool decode_base64(const char *encoded, unsigned char *plain, size_t room,
			  size_t *ret_size)
{
	static const int variants[] = { sodium_base64_VARIANT_ORIGINAL,
					sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
					sodium_base64_VARIANT_URLSAFE,
					sodium_base64_VARIANT_URLSAFE_NO_PADDING };

	for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
		if (base64_decode(encoded, strlen(encoded), variants[i], "\r\n ", plain, room,
				  ret_size))
			return true;
	}
	return false;
}

bool import_credentials(const char *encoded, char **ret_id, char **ret_secret, struct err *err)
{
	unsigned char plain[CREDENTIALS_MAX];
	size_t size = 0;

	/* The older table was sometimes filled with the whole header. */
	if (strncmp(encoded, "Basic ", 6) == 0)
		encoded += 6;
	bool good = decode_base64(encoded, plain, sizeof plain - 1, &size) &&
		    !memchr(plain, '\0', size);
	if (good) {
		plain[size] = '\0';
		while (size > 0 && (plain[size - 1] == '\n' || plain[size - 1] == '\r'))
			plain[--size] = '\0';
		char *colon = strchr((char *)plain, ':');
		good = colon && colon != (char *)plain && colon[1] != '\0';
		if (good) {
			*ret_id = xstrndup((char *)plain, (size_t)(colon - (char *)plain));
			*ret_secret = xstrdup(colon + 1);
		}
	}
	explicit_bzero(plain, sizeof plain);
	return good || err_set(err, ERR_PERMANENT, "is not base64 of id:secret");
}

/* ---- rows ---- */

static bool set_one(json_t *draft, const struct csv *csv, const struct csv_row *row,
		    const struct args *args, const struct command_option *option,
		    struct err *err)
{
	char column[COLUMN_MAX];

	column_of(option, column);
	const char *value = csv_field(csv, row, column);
	if (!value)
		value = args_value(args, option->name);
	return !value || draft_set(draft, option->sets, value, column, err);
}

static bool add_secrets(json_t *draft, const struct csv *csv, const struct csv_row *row,
			struct err *err)
{
	struct secrets secrets = { 0 };

	for (size_t i = 0; secret_columns[i]; i++) {
		const char *value = csv_field(csv, row, secret_columns[i]);
		char vendor[COLUMN_MAX];

		if (!value)
			continue;
		snprintf(vendor, sizeof vendor, "%.*s",
			 (int)(strlen(secret_columns[i]) - strlen("_secret")),
			 secret_columns[i]);
		secrets_add(&secrets, vendor, value);
	}
	bool good = draft_add_secrets(draft, STORE_CUSTOMER, &secrets, err);
	secrets_done(&secrets);
	return good;
}

/* "empty" is the older table's word for nothing. */
static const char *old_field(const struct csv *csv, const struct csv_row *row,
			     const char *column)
{
	const char *value = csv_field(csv, row, column);

	return value && value[0] != '\0' && strcmp(value, "empty") != 0 ? value : NULL;
}

/* What the older table meant without saying so. */
static bool add_old_meaning(json_t *draft, const char *vendor, const char *org, struct err *err)
{
	const json_t *account = json_object_get(json_object_get(draft, "accounts"), vendor);

	if (strcmp(vendor, "secure_endpoint") == 0)
		return json_object_get(account, "region") || json_object_get(account, "url") ||
		       draft_set(draft, "accounts.secure_endpoint.region", "nam", "region",
				 err);
	return (json_object_get(account, "auth") ||
		draft_set(draft, "accounts.umbrella.auth", "legacy", "auth", err)) &&
	       (!org || json_object_get(account, "org_id") ||
		draft_set(draft, "accounts.umbrella.org_id", org, OLD_UMBRELLA_ORG, err));
}

static bool add_old_credentials(json_t *draft, const struct csv *csv, const struct csv_row *row,
				const char *vendor, const char *column, struct err *err)
{
	const char *encoded = old_field(csv, row, column);
	char *id = NULL, *secret = NULL;
	struct secrets secrets = { 0 };
	char path[COLUMN_MAX];

	if (!encoded)
		return true;
	if (!import_credentials(encoded, &id, &secret, err)) {
		err_prefix(err, "%s", column);
		return false;
	}
	snprintf(path, sizeof path, "accounts.%s.client_id", vendor);
	bool good = draft_set(draft, path, id, column, err) &&
		    add_old_meaning(draft, vendor, old_field(csv, row, OLD_UMBRELLA_ORG), err);
	secrets_add(&secrets, vendor, secret);
	good = good && draft_add_secrets(draft, STORE_CUSTOMER, &secrets, err);
	secrets_done(&secrets);
	free(id);
	vault_wipe(secret);
	return good;
}

static bool name_draft(json_t *draft, const struct csv *csv, const struct csv_row *row,
		       struct err *err)
{
	const char *id = csv_field(csv, row, "id"), *name = csv_field(csv, row, OLD_NAME);
	char made[ID_MAX + 1] = "";

	if (!id && name) {
		import_id(name, made);
		id = made;
	}
	if (!id || !id[0])
		return err_set(err, ERR_PERMANENT, "id is missing");
	return draft_set(draft, "id", id, "id", err) &&
	       (!name || draft_set(draft, "name", name, OLD_NAME, err));
}

json_t *import_row(const struct csv *csv, const struct csv_row *row, const char *where,
		   const struct args *args, const struct command_option *options,
		   struct err *err)
{
	json_t *draft = json_object();
	bool good = name_draft(draft, csv, row, err);

	for (; good && options->name; options++) {
		if (options->sets)
			good = set_one(draft, csv, row, args, options, err);
	}
	good = good &&
	       add_old_credentials(draft, csv, row, "secure_endpoint", OLD_CREDENTIALS, err) &&
	       add_old_credentials(draft, csv, row, "umbrella", OLD_UMBRELLA, err);
	if (good)
		good = add_secrets(draft, csv, row, err);
	if (good) {
		draft_complete(draft);
		return draft;
	}
	err_prefix(err, "%s: line %zu", where, row->line);
	draft_free(draft);
	return NULL;
}
