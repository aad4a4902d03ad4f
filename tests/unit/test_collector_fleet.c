/* Pinning and even shares of the collectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collector/fleet.h"
#include "model/customer.h"

static struct customer customer(const char *id, const char *label)
{
	return (struct customer){ .id = (char *)(uintptr_t)id,
				  .label = (char *)(uintptr_t)label };
}

static void test_pin_of_text(void **state)
{
	struct pin pin;
	struct err err = { 0 };

	(void)state;
	assert_true(pin_init(&pin, "acme, globex,", "gold", &err));
	assert_int_equal(pin.customer_count, 2);
	assert_string_equal(pin.customers[1], "globex");
	assert_true(pin_is_set(&pin));

	char *text = pin_encode(&pin);
	struct pin copy;

	assert_string_equal(text, "label=gold customers=acme,globex");
	pin_decode(&copy, text);
	assert_int_equal(copy.customer_count, 2);
	assert_string_equal(copy.label, "gold");
	free(text);
	pin_done(&copy);
	pin_done(&pin);

	assert_true(pin_init(&pin, NULL, "", &err));
	assert_false(pin_is_set(&pin));
	text = pin_encode(&pin);
	assert_string_equal(text, "");
	free(text);
	pin_done(&pin);

	assert_false(pin_init(&pin, "acme,Not An Id", NULL, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
}

static void test_who_polls_whom(void **state)
{
	const struct customer acme = customer("acme", NULL);
	const struct customer gold = customer("initech", "gold");
	const struct customer other = customer("umbrella", "silver");
	struct fleet fleet = { 0 };

	(void)state;
	assert_true(fleet_add(&fleet, "", true));
	assert_true(fleet_add(&fleet, "", false));
	assert_int_equal(fleet_sharers(&fleet, &acme), 2);

	/* pinned ones are left alone by the others while they live */
	assert_true(fleet_add(&fleet, "label=gold customers=acme", false));
	assert_int_equal(fleet_sharers(&fleet, &acme), 0);
	assert_int_equal(fleet_sharers(&fleet, &gold), 0);
	assert_int_equal(fleet_sharers(&fleet, &other), 2);

	/* seen by the pinned one itself */
	fleet.self = 2;
	assert_int_equal(fleet_sharers(&fleet, &acme), 1);
	assert_int_equal(fleet_sharers(&fleet, &gold), 1);
	assert_int_equal(fleet_sharers(&fleet, &other), 0);
	fleet_done(&fleet);
}

static void test_everything_has_an_owner(void **state)
{
	(void)state;
	for (size_t replicas = 1; replicas <= 7; replicas++) {
		for (size_t sources = 0; sources < 50; sources++) {
			struct fleet_share share = { 0 };

			for (size_t i = 0; i < sources; i++)
				fleet_share_add(&share, replicas);

			size_t target = fleet_share_target(&share);

			assert_true(target * replicas >= sources);
			assert_true(target == (sources + replicas - 1) / replicas);
		}
	}
}

static void test_fleet_is_bounded(void **state)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));

	(void)state;
	for (size_t i = 0; i < FLEET_MAX; i++)
		assert_true(fleet_add(fleet, "", i == 0));
	assert_false(fleet_add(fleet, "", false));
	fleet_done(fleet);
	free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_of_text),
		cmocka_unit_test(test_who_polls_whom),
		cmocka_unit_test(test_everything_has_an_owner),
		cmocka_unit_test(test_fleet_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
