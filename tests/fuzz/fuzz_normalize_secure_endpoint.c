/* Any bytes as an event of Secure Endpoint. */
#include "normalize_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	return normalize_record("secure_endpoint", data, size);
}
