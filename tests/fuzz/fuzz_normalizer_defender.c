/* Any bytes as an alert of Defender for Endpoint. */
#include "normalizer_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	return normalizer_record("defender", data, size);
}
