#ifndef CLI_PROGRAMS_H
#define CLI_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "jq/jq.h"
#include "model/program_set.h"

struct plan;
struct redis;
struct store;

/*
 * What operators wrote for services, from the files of TOCSIN_CONFIG_DIR into the hash
 * `tocsin:programs` (model/program_set.h). Each kind has a reader, which checks before it adds:
 * a file that is wrong is a problem, and what Redis has of it stays as it was.
 */
struct programs_files {
	const char *config_dir;
	const struct store *store; /* the customers' files */
	struct jq *jq;		   /* to compile with */
	struct program_set *good;  /* what is to be in force */
	struct program_set
	    *broken;	   /* names whose files are wrong, "x/" for all that begin so */
	struct plan *plan; /* takes the problems */
};

/* Reads and checks one kind. False only when nothing can be said of any, as err does. */
typedef bool programs_reader(struct programs_files *files, struct err *err);

programs_reader programs_read_sources;	 /* sources/<name>.jq: programs_sources.c */
programs_reader programs_read_rules;	 /* rules.json: rules_file.c */
programs_reader programs_read_templates; /* templates/<name>.json: template_files.c */

/* For readers: name is wrong as err says, and stays as it was. where is the file. */
void programs_break(struct programs_files *files, const char *name, const char *where,
		    const struct err *err);

/* All kinds. plan takes what is wrong; settings are for the child that compiles. */
bool programs_load(struct programs_files *ret_files, const char *config_dir,
		   const struct store *store, const struct jq_settings *settings,
		   struct plan *plan, struct err *err);
void programs_done(struct programs_files *files); /* zeroed is fine */

/* Makes the hash say what the files do. ret_set and ret_removed count fields. */
bool programs_publish(struct redis *redis, const struct programs_files *files,
		      uint64_t *ret_version, size_t *ret_set, size_t *ret_removed,
		      struct err *err);
/* Whether the hash still has that version. */
bool programs_check(struct redis *redis, uint64_t version, struct err *err);

#endif
