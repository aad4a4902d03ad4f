/* A file that a person wrote, as a customer's and as an account's: refused in one line that
 * starts with the file's name, or read, and then what is written is read as the same again. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "model/customer.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_refusal(const struct err *err)
{
	must(err->kind == ERR_PERMANENT);
	must(strncmp(err->text, "customers/x.json", 16) == 0);
	must(strchr(err->text, '\n') == NULL);
}

static void try_customer(const char *text, size_t size)
{
	struct err err = { 0 };
	struct customer *customer = customer_decode(text, size, "customers/x.json", &err);

	if (!customer) {
		check_refusal(&err);
		return;
	}
	char *once = customer_encode(customer);
	struct customer *back = customer_decode(once, strlen(once), "customers/x.json", &err);
	must(back != NULL);
	char *twice = customer_encode(back);
	must(strcmp(once, twice) == 0);
	struct directory *directory = directory_new();
	directory_add_customer(directory, customer);
	directory_add_customer(directory, back); /* of the same id: the first one goes */
	must(directory_count(directory) == 1);
	(void)directory_check(directory, &err);
	directory_free(directory);
	free(twice);
	free(once);
}

static void try_account(const char *text, size_t size)
{
	struct err err = { 0 };
	struct account *account = account_decode(text, size, "customers/x.json", &err);

	if (!account) {
		check_refusal(&err);
		return;
	}
	char *once = account_encode(account);
	struct account *back = account_decode(once, strlen(once), "customers/x.json", &err);
	must(back != NULL);
	char *twice = account_encode(back);
	must(strcmp(once, twice) == 0);
	free(twice);
	free(once);
	account_free(back);
	account_free(account);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	try_customer((const char *)data, size);
	try_account((const char *)data, size);
	return 0;
}
