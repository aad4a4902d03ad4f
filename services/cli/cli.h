#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "base/conf.h"
#include "base/err.h"
#include "bus/bus.h"
#include "exit_code.h"
#include "jq/jq.h"
#include "service/service.h"
#include "table.h"
#include "vendor/settings.h"

struct directory;
struct http;
struct redis;
struct vault;

/* What only this program and those that open customers' secrets need to know. */
struct cli_settings {
	char *config_dir;
	char *key_file;
	char *callback_key_file;
	char *link_key_file, *link_public_key_file;
	char *public_url; /* NULL: not set */
	char *grouping;	  /* as the normalizer's */
};

/*
 * One run of one command. What a command needs of the outside is opened when it first asks, so
 * that `tocsin help` needs nothing and `tocsin customer list` no Redis.
 */
struct cli {
	const struct command *command;
	struct args args;
	int argc; /* the whole command line */
	char **argv;
	bool json;
	struct screen screen;
	struct cli_settings settings;
	struct service_options service;
	struct bus_settings bus;
	struct vendor_settings vendor;
	struct jq_settings jq;

	struct redis *redis; /* use the functions below */
	struct vault *vault;
	struct vault *callback_vault; /* callback_draft_vault() */
	struct http *http;
	struct redis_settings *redis_settings;
	bool printed; /* the one document of --json was written */
};

/* The options of cli_settings, for conf_load(). */
extern const struct conf_option cli_options[];

/* Settings from the environment, all of them checked; a misspelt one is an error. */
bool cli_load(struct cli *cli, struct err *err);
void cli_done(struct cli *cli);

/* NULL with err filled. Borrowed; closed when the run ends. */
struct redis *cli_redis(struct cli *cli, struct err *err);
const struct vault *cli_vault(struct cli *cli, struct err *err);
struct http *cli_http(struct cli *cli, struct err *err);

/* Customers and accounts as setup last applied them to Redis, what the services go by; caller
 * frees. NULL with err filled. */
struct directory *cli_directory(struct cli *cli, struct redis *redis, struct err *err);
/* Whether there is this customer, NULL: none was named. Else err, permanent when there is none:
 * a misspelt name would show, or freeze, nothing. */
bool cli_customer_known(struct redis *redis, const char *id, struct err *err);

/* One line on stderr, "tocsin: customer add: ...", with --json also {"error", "exit"} on
 * stdout. Returns code. */
int cli_fail(struct cli *cli, enum exit_code code, const struct err *err);
int cli_failf(struct cli *cli, enum exit_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A line on stderr, for what does not end the run. */
void cli_warn(const struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes document, as JSON or as render() makes of it, and releases it. Returns code, or
 * EXIT_FAILED when stdout cannot be written. */
typedef void cli_render(struct buf *out, const struct screen *screen, const json_t *document);
int cli_print(struct cli *cli, json_t *document, cli_render *render, enum exit_code code);

/* Asks on the terminal; true for yes. Without a terminal: false. */
bool cli_confirm(const struct cli *cli, const char *question);

#endif
