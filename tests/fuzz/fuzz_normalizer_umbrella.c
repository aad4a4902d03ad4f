/* Any bytes as a record of Umbrella's activity. */
#include "normalizer_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	return normalizer_record("umbrella", data, size);
}
