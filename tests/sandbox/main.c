/*
 * tocsin-sandbox: stands in for every vendor, for the demo, tests and benchmarks.
 * State is in memory; tests/sandbox/README.md describes what can be asked of it.
 */
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "account.h"
#include "base/clock.h"
#include "base/err.h"
#include "defender.h"
#include "demo.h"
#include "fault.h"
#include "generate.h"
#include "ledger.h"
#include "mail.h"
#include "sandbox.h"
#include "secure_endpoint.h"
#include "server.h"
#include "servicenow.h"
#include "snow_rule.h"
#include "threat_response.h"
#include "timer.h"
#include "umbrella.h"

/* A further vendor is one more file and one more row. */
static const struct vendor *const vendors[] = {
	&secure_endpoint_vendor, &umbrella_vendor, &threat_response_vendor,
	&servicenow_vendor,	 &defender_vendor, NULL,
};

struct options {
	struct server_options server;
	const char *port_file;
	const char *apply;
	const char *smtp_port_file;
	int smtp_port; /* -1: no mail server */
	uint64_t latency_ms;
	size_t ledger_entries;
	size_t ledger_body_bytes;
	bool demo;
};

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "listen", required_argument, NULL, 'l' },
	{ "port-file", required_argument, NULL, 'f' },
	{ "threads", required_argument, NULL, 't' },
	{ "latency-ms", required_argument, NULL, 'L' },
	{ "ledger", required_argument, NULL, 'e' },
	{ "ledger-body-bytes", required_argument, NULL, 'b' },
	{ "no-ledger-bodies", no_argument, NULL, 'n' },
	{ "smtp-port", required_argument, NULL, 's' },
	{ "smtp-port-file", required_argument, NULL, 'S' },
	{ "apply", required_argument, NULL, 'a' },
	{ "demo", no_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void print_help(void)
{
	puts("tocsin-sandbox: stands in for Secure Endpoint, Umbrella, Threat Response, "
	     "ServiceNow\n"
	     "and Defender for Endpoint\n"
	     "\n"
	     "  --port N               port to listen on (0: any free one)\n"
	     "  --listen ADDRESS       IPv4 address to listen on (127.0.0.1)\n"
	     "  --port-file FILE       write the port there once ready\n"
	     "  --threads N            threads that serve (2)\n"
	     "  --latency-ms N         every vendor call takes this long (0)\n"
	     "  --ledger N             calls that the ledger keeps (200000; 0: none)\n"
	     "  --ledger-body-bytes N  how much of each request body it keeps (65536)\n"
	     "  --no-ledger-bodies     the same as --ledger-body-bytes 0\n"
	     "  --smtp-port N          be a mail server there too (0: any free one)\n"
	     "  --smtp-port-file FILE  write that port there\n"
	     "  --apply FILE           accounts as POST _sandbox/accounts takes them\n"
	     "  --demo                 with the customers and events of the demo\n"
	     "\n"
	     "Prints {\"listening\":\"http://ADDRESS:PORT\"} when ready; SIGTERM ends it.");
}

static bool read_number(const char *name, const char *text, uint64_t max, uint64_t *number)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > max) {
		fprintf(stderr, "tocsin-sandbox: --%s %s: must be a number up to %llu\n", name,
			text, (unsigned long long)max);
		return false;
	}
	*number = value;
	return true;
}

static bool set_option(struct options *options, int letter, const char *name, const char *value)
{
	uint64_t number = 0;

	if (strchr("ptLebs", letter) &&
	    !read_number(name, value, strchr("ps", letter) ? 65535 : 1000000000, &number))
		return false;
	switch (letter) {
	case 'p':
		options->server.port = (uint16_t)number;
		break;
	case 'l':
		options->server.address = value;
		break;
	case 'f':
		options->port_file = value;
		break;
	case 't':
		options->server.threads = number < 2 ? 2 : (unsigned)number;
		break;
	case 'L':
		options->latency_ms = number;
		break;
	case 'e':
		options->ledger_entries = number;
		break;
	case 'b':
		options->ledger_body_bytes = number;
		break;
	case 'n':
		options->ledger_body_bytes = 0;
		break;
	case 's':
		options->smtp_port = (int)number;
		break;
	case 'S':
		options->smtp_port_file = value;
		break;
	case 'a':
		options->apply = value;
		break;
	case 'd':
		options->demo = true;
		break;
	default:
		return false; /* getopt has said why */
	}
	return true;
}

/* True to go on; otherwise the exit status is set. */
static bool read_options(int argc, char **argv, struct options *options, int *status)
{
	int letter, index = 0;

	*status = 2;
	while ((letter = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (letter == 'h') {
			print_help();
			*status = 0;
			return false;
		}
		const char *name = letter == '?' ? "" : long_options[index].name;

		if (!set_option(options, letter, name, optarg))
			return false;
	}
	if (optind < argc) {
		fprintf(stderr, "tocsin-sandbox: unexpected %s; see --help\n", argv[optind]);
		return false;
	}
	return true;
}

/* Thousands of open connections need as many files. Returns how many to allow. */
static unsigned raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 512;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur > 16384 ? 16000 : (unsigned)limit.rlim_cur - 64;
}

static bool write_port(const char *path, uint16_t port, struct err *err)
{
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!path)
		return true;
	if (!file || fprintf(file, "%u\n", port) < 0 || fclose(file) != 0)
		return err_set(err, ERR_PERMANENT, "--port-file %s: cannot be written", path);
	return true;
}

static bool serve(struct sandbox *sandbox, const struct options *options,
		  const sigset_t *signals, struct err *err)
{
	int signal = 0;

	if (!snow_rules_start(err) || (options->demo && !demo_start(sandbox, err)) ||
	    (options->apply && !demo_apply(sandbox, options->apply, err)))
		return false;
	if (options->smtp_port >= 0) {
		sandbox->mails =
		    mails_start(options->server.address, (uint16_t)options->smtp_port, err);
		if (!sandbox->mails ||
		    !write_port(options->smtp_port_file, mails_port(sandbox->mails), err))
			return false;
	}
	struct server *server = server_start(sandbox, &options->server, err);

	if (!server)
		return false;
	bool ok = write_port(options->port_file, server_port(server), err);

	if (ok) {
		printf("{\"listening\":\"http://%s:%u\"}\n", options->server.address,
		       server_port(server));
		fflush(stdout);
		sigwait(signals, &signal);
	}
	generator_stop(sandbox->generator);
	timer_stop(sandbox->timer); /* what waits is answered now */
	server_stop(server);
	snow_rules_stop();
	mails_stop(sandbox->mails);
	return ok;
}

static int run(const struct options *options)
{
	struct sandbox sandbox = {
		.registry = registry_new(vendors),
		.faults = faults_new(),
		.ledger = ledger_new(options->ledger_entries, options->ledger_body_bytes),
		.latency_ms = options->latency_ms,
		.started_ms = clock_wall_ms(),
	};
	struct err err = { 0 };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is started */
	sandbox.timer = timer_new();
	sandbox.generator = generator_new(sandbox.registry, sandbox.timer);
	bool ok = serve(&sandbox, options, &signals, &err);

	if (!ok)
		fprintf(stderr, "tocsin-sandbox: %s\n", err.text);
	timer_stop(sandbox.timer);
	generator_free(sandbox.generator);
	timer_free(sandbox.timer);
	ledger_free(sandbox.ledger);
	faults_free(sandbox.faults);
	registry_free(sandbox.registry);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = { .smtp_port = -1,
				   .server = { .address = "127.0.0.1", .threads = 2 },
				   .ledger_entries = 200000,
				   .ledger_body_bytes = 65536 };
	int status;

	if (!read_options(argc, argv, &options, &status))
		return status;
	if (sodium_init() < 0)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	options.server.connections = raise_file_limit();
	return run(&options);
}
