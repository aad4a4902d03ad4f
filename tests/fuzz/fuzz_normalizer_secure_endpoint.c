/* Any bytes as an event of Secure Endpoint. */
#include "normalizer_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	return normalizer_record("secure_endpoint", data, size);
}
