/* Feeds the files of a corpus folder to a fuzz target, so that what was once found stays found
 * on machines without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	unsigned char *data = xmalloc(1 << 20);

	if (!file) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	size_t size = fread(data, 1, 1 << 20, file);
	fclose(file);
	/* The exact size, so that a sanitizer sees one byte too far. */
	data = xrealloc(data, size);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned count = 0;

	if (!folder) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
		return EXIT_FAILURE;
	}
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char path[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
		replay(path);
		count++;
	}
	closedir(folder);
	printf("%u inputs\n", count);
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
