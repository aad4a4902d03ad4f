/* What a process holds after its start and does not need: linking and setting up OpenSSL and
 * GnuTLS touch most of a dozen libraries, waiting for work touches little of them. */
#include "base/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Only segments that nobody may write, in whole pages: what has been relocated stays. */
static int drop_pages(struct dl_phdr_info *info, size_t size, void *opaque)
{
	const uintptr_t page = *(const uintptr_t *)opaque;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = (start + segment->p_memsz) / page * page;
		start = (start + page - 1) / page * page;
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W) && start < end)
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void memory_settle(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	malloc_trim(0);
	dl_iterate_phdr(drop_pages, &page);
}
