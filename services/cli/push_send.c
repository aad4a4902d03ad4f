/* tocsin push send: one event, pushed as another program would. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "cli.h"
#include "model/signature.h"
#include "model/vault.h"
#include "net/http.h"
#include "run.h"
#include "text.h"
#include "view.h"

enum {
	BODY_MAX = 8 << 20,
	SECRET_MAX = 256,
	ID_BYTES = 16,
	HEADER_MAX = 160,
	REPLY_SHOWN = 200
};

/* What one request is made of. */
struct sending {
	struct cli *cli;
	char *secret, *body;
	struct buf url;
	char headers[3][HEADER_MAX];
};

static bool read_inputs(struct sending *sending, struct err *err)
{
	const struct args *args = &sending->cli->args;
	const char *file = args_operand(args, 2), *secret = args_value(args, "secret-file");
	const char *url = args_value(args, "url");

	if (!url)
		url = sending->cli->settings.public_url;
	if (!url)
		return err_set(err, ERR_PERMANENT, "set TOCSIN_PUBLIC_URL, or give --url");
	if (!secret)
		return err_set(err, ERR_PERMANENT, "--secret-file is missing");
	buf_addf(&sending->url, "%s/v1/events/", url);
	buf_add_url(&sending->url, args_operand(args, 0));
	buf_adds(&sending->url, "/");
	buf_add_url(&sending->url, args_operand(args, 1));
	sending->secret = conf_read_file(secret, SECRET_MAX, err);
	sending->body =
	    sending->secret
		? conf_read_file(strcmp(file, "-") == 0 ? "/dev/stdin" : file, BODY_MAX, err)
		: NULL;
	return sending->body != NULL;
}

static bool sign(struct sending *sending, struct err *err)
{
	struct signature_keys keys = { 0 };
	unsigned char random[ID_BYTES];
	char id[2 * ID_BYTES + 1], timestamp[24], signature[SIGNATURE_SIZE];

	if (!signature_keys_add(&keys, sending->secret))
		return err_set(err, ERR_PERMANENT,
			       "the secret is not one to sign with (whsec_...); a token needs "
			       "--bearer");
	randombytes_buf(random, sizeof random);
	sodium_bin2hex(id, sizeof id, random, sizeof random);
	snprintf(timestamp, sizeof timestamp, "%" PRIu64, clock_wall_ms() / 1000);
	signature_make(&keys,
		       &(struct signature_request){ .id = id,
						    .timestamp = timestamp,
						    .body = sending->body,
						    .body_size = strlen(sending->body) },
		       signature);
	signature_keys_wipe(&keys);
	snprintf(sending->headers[0], HEADER_MAX, "webhook-id: %s", id);
	snprintf(sending->headers[1], HEADER_MAX, "webhook-timestamp: %s", timestamp);
	snprintf(sending->headers[2], HEADER_MAX, "webhook-signature: %s", signature);
	return true;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	(void)screen;
	buf_addf(out, "Taken: %s\n", json_string_value(json_object_get(document, "answer")));
}

static int tell(struct cli *cli, const struct http_response *response)
{
	struct buf answer;
	int code;

	buf_init(&answer, (size_t)4 * REPLY_SHOWN + 16);
	char *shown = strndup(response->body, REPLY_SHOWN);

	text_clean(&answer, shown ? shown : "");
	free(shown);
	if (response->status == 202)
		code = cli_print(cli,
				 json_pack("{s:i,s:o}", "status", response->status, "answer",
					   view_text(buf_text(&answer))),
				 render, EXIT_OK);
	else
		code = cli_failf(cli, EXIT_FAILED, "refused with %d: %s", response->status,
				 buf_text(&answer));
	buf_done(&answer);
	return code;
}

static int send_it(struct sending *sending, struct err *err)
{
	bool bearer = args_flag(&sending->cli->args, "bearer");
	const char *headers[4] = { sending->headers[0], sending->headers[1],
				   sending->headers[2] };
	const struct http_request request = {
		.method = "POST",
		.url = buf_text(&sending->url),
		.bearer = bearer ? sending->secret : NULL,
		.content_type = "application/json",
		.headers = bearer ? NULL : headers,
		.body = sending->body,
		.size = strlen(sending->body),
		.timeout_ms = sending->cli->bus.call_deadline_ms,
	};
	struct http_response response = { 0 };
	struct http *http = cli_http(sending->cli, err);
	int code = EXIT_UNREACHABLE;

	if (http && http_exchange(http, &request, &response, err))
		code = tell(sending->cli, &response);
	else
		cli_fail(sending->cli, EXIT_UNREACHABLE, err);
	http_response_done(&response);
	return code;
}

int run_push_send(struct cli *cli)
{
	struct sending sending = { .cli = cli };
	struct err err = { 0 };
	int code;

	buf_init(&sending.url, 4096);
	if (!read_inputs(&sending, &err) ||
	    (!args_flag(&cli->args, "bearer") && !sign(&sending, &err)))
		code = cli_fail(cli, EXIT_USAGE, &err);
	else
		code = send_it(&sending, &err);
	buf_done(&sending.url);
	vault_wipe(sending.secret);
	free(sending.body);
	return code;
}
