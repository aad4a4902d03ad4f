/* What all commands share: settings, lazily opened connections, output, errors. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "model/customer.h"
#include "model/vault.h"
#include "net/http.h"
#include "normalize/normalize.h"
#include "service/service.h"
#include "text.h"
#include "view.h"

enum { OUTPUT_MAX = 256 << 20 };

#define FIELD(member) .offset = offsetof(struct cli_settings, member)

const struct conf_option cli_options[] = {
	{ "TOCSIN_CONFIG_DIR", CONF_PATH, FIELD(config_dir), "/etc/tocsin",
	  .help = "folder with customers, accounts, sources, templates and rules" },
	{ "TOCSIN_KEY_FILE", CONF_PATH, FIELD(key_file), "/etc/tocsin/master.key",
	  .help = "keys that seal customers' secrets; made by tocsin keygen" },
	{ "TOCSIN_CALLBACK_KEY_FILE", CONF_PATH, FIELD(callback_key_file),
	  .help = "keys that seal what the callback service needs to know; without it "
		  "callback.key beside TOCSIN_KEY_FILE" },
	{ "TOCSIN_LINK_KEY_FILE", CONF_PATH, FIELD(link_key_file),
	  .help = "keys that sign links and closing URLs; without it link.key beside "
		  "TOCSIN_KEY_FILE" },
	{ "TOCSIN_LINK_PUBLIC_KEY_FILE", CONF_PATH, FIELD(link_public_key_file),
	  .help = "keys that verify them; without it link.pub beside TOCSIN_KEY_FILE" },
	{ "TOCSIN_PUBLIC_URL", CONF_URL, FIELD(public_url),
	  .help = "where the callback is reached from outside, https://tocsin.example.com" },
	{ "TOCSIN_GROUPING", CONF_STRING, FIELD(grouping), NORMALIZE_GROUPING,
	  .help = "as the normalizer's, for what collect, replay and audit foretell" },
	{ 0 },
};

/* A file of that name in the folder of the master key, unless another one was given. */
static void place_beside(const struct cli_settings *settings, const char *name, char **path)
{
	const char *slash = strrchr(settings->key_file, '/');
	size_t folder = slash ? (size_t)(slash - settings->key_file) + 1 : 0;

	if (*path)
		return;
	*path = xcalloc(1, folder + strlen(name) + 1);
	memcpy(*path, settings->key_file, folder);
	memcpy(*path + folder, name, strlen(name));
}

static bool load_settings(struct cli_settings *settings, struct err *err)
{
	if (!conf_load(cli_options, settings, err))
		return false;
	place_beside(settings, "callback.key", &settings->callback_key_file);
	place_beside(settings, "link.key", &settings->link_key_file);
	place_beside(settings, "link.pub", &settings->link_public_key_file);
	return true;
}

bool cli_load(struct cli *cli, struct err *err)
{
	static const struct conf_option *const tables[] = { cli_options, service_option_table,
							    bus_options, vendor_options,
							    jq_options,	 NULL };

	return load_settings(&cli->settings, err) &&
	       conf_load(service_option_table, &cli->service, err) &&
	       conf_load(bus_options, &cli->bus, err) &&
	       conf_load(vendor_options, &cli->vendor, err) &&
	       conf_load(jq_options, &cli->jq, err) &&
	       conf_check_unknown(tables, service_known_names, err) &&
	       bus_settings_check(&cli->bus, err);
}

void cli_done(struct cli *cli)
{
	redis_free(cli->redis);
	free(cli->redis_settings);
	http_free(cli->http);
	vault_free(cli->vault);
	vault_free(cli->callback_vault);
	conf_clear(cli_options, &cli->settings);
	conf_clear(service_option_table, &cli->service);
	conf_clear(bus_options, &cli->bus);
	conf_clear(vendor_options, &cli->vendor);
	conf_clear(jq_options, &cli->jq);
}

struct redis *cli_redis(struct cli *cli, struct err *err)
{
	if (!cli->redis) {
		cli->redis_settings = xcalloc(1, sizeof *cli->redis_settings);
		bus_redis_settings(&cli->bus, cli->redis_settings);
		cli->redis = redis_new(cli->redis_settings, "tocsin-cli");
	}
	return redis_connect(cli->redis, err) ? cli->redis : NULL;
}

bool cli_customer_known(struct redis *redis, const char *id, struct err *err)
{
	struct redis_reply *reply;
	bool known;

	if (!id)
		return true;
	reply = redis_command(redis, err, "HGET %s %s", KEY_CUSTOMERS, id);
	if (!reply)
		return false;
	known = customer_id_valid(id) && reply_size(reply) > 0;
	reply_free(reply);
	return known || err_set(err, ERR_PERMANENT, "there is no customer %s", id);
}

struct directory *cli_directory(struct cli *cli, struct redis *redis, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGETALL %s", KEY_CUSTOMERS);

	if (!reply)
		return NULL;
	struct directory *directory = directory_new();
	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		const char *name = reply_text(reply_at(reply, i));
		const struct redis_reply *value = reply_at(reply, i + 1);
		struct err why = { 0 };

		if (name[0] == '@') {
			struct account *account =
			    account_decode(reply_text(value), reply_size(value), name, &why);
			if (account)
				directory_add_account(directory, account);
		} else if (name[0] != '#') {
			struct customer *customer =
			    customer_decode(reply_text(value), reply_size(value), name, &why);
			if (customer)
				directory_add_customer(directory, customer);
		}
		if (why.kind != ERR_NONE)
			cli_warn(cli, "in Redis: %s", why.text);
	}
	reply_free(reply);
	return directory;
}

const struct vault *cli_vault(struct cli *cli, struct err *err)
{
	if (!cli->vault)
		cli->vault = vault_open(cli->settings.key_file, err);
	return cli->vault;
}

struct http *cli_http(struct cli *cli, struct err *err)
{
	if (!cli->http)
		cli->http = vendor_http_new(&cli->vendor, err);
	return cli->http;
}

/* ---- errors ---- */

static void complain(const struct cli *cli, const char *text)
{
	struct buf line;

	buf_init(&line, 4096);
	text_clean(&line, text);
	if (cli->command)
		fprintf(stderr, "tocsin: %s: %s\n", cli->command->name, buf_text(&line));
	else
		fprintf(stderr, "tocsin: %s\n", buf_text(&line));
	buf_done(&line);
}

int cli_fail(struct cli *cli, enum exit_code code, const struct err *err)
{
	complain(cli, err->text);
	if (cli->json && !cli->printed) {
		json_t *document =
		    json_pack("{s:o,s:i}", "error", view_text(err->text), "exit", (int)code);
		json_dumpf(document, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(document);
		cli->printed = true;
	}
	return code;
}

int cli_failf(struct cli *cli, enum exit_code code, const char *fmt, ...)
{
	struct err err = { .kind = ERR_PERMANENT };
	va_list args;

	va_start(args, fmt);
	vsnprintf(err.text, sizeof err.text, fmt, args);
	va_end(args);
	return cli_fail(cli, code, &err);
}

void cli_warn(const struct cli *cli, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	complain(cli, text);
}

/* ---- output ---- */

static bool flush(void)
{
	return fflush(stdout) == 0 && !ferror(stdout);
}

int cli_print(struct cli *cli, json_t *document, cli_render *render, enum exit_code code)
{
	bool written;

	if (cli->json) {
		written = json_dumpf(document, stdout, JSON_INDENT(2)) == 0;
		putchar('\n');
		cli->printed = true;
	} else {
		struct buf out;

		buf_init(&out, OUTPUT_MAX);
		render(&out, &cli->screen, document);
		written = fwrite(buf_text(&out), 1, out.size, stdout) == out.size;
		buf_done(&out);
	}
	json_decref(document);
	if (!written || !flush()) {
		/* Whoever reads has seen enough, as `head` has. */
		if (errno == EPIPE)
			return code;
		complain(cli, "cannot write to stdout");
		return EXIT_FAILED;
	}
	return code;
}

bool cli_confirm(const struct cli *cli, const char *question)
{
	char answer[16];

	if (cli->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof answer, stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}
