/* Even shares. */
#include "fleet.h"

#include <math.h>

void fleet_done(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		pin_done(&fleet->pins[i]);
	*fleet = (struct fleet){ 0 };
}

bool fleet_add(struct fleet *fleet, const char *announcement, bool self)
{
	if (fleet->count == FLEET_MAX)
		return false;
	if (self)
		fleet->self = fleet->count;
	pin_decode(&fleet->pins[fleet->count++], announcement);
	return true;
}

size_t fleet_sharers(const struct fleet *fleet, const struct customer *customer)
{
	size_t free_ones = 0;
	size_t claiming = 0;
	const struct pin *self = &fleet->pins[fleet->self];

	for (size_t i = 0; i < fleet->count; i++) {
		if (!pin_is_set(&fleet->pins[i]))
			free_ones++;
		else if (pin_matches(&fleet->pins[i], customer))
			claiming++;
	}
	if (pin_is_set(self))
		return pin_matches(self, customer) ? claiming : 0;
	return claiming > 0 ? 0 : free_ones;
}

void fleet_share_add(struct fleet_share *share, size_t sharers)
{
	if (sharers > 0)
		share->sum += 1.0 / (double)sharers;
}

size_t fleet_share_target(const struct fleet_share *share)
{
	/* Thirds do not add up exactly: 2.0000000001 is 2. */
	return (size_t)ceil(share->sum - 1e-6);
}
