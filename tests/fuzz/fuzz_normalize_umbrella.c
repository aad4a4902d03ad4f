/* Any bytes as a record of Umbrella's activity. */
#include "normalize_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	return normalize_record("umbrella", data, size);
}
