/* Any bytes as an alert of Defender for Endpoint. */
#include "normalize_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	return normalize_record("defender", data, size);
}
