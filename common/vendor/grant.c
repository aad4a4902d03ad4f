/* Asking a token endpoint (RFC 6749). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "vendor/body.h"
#include "vendor/call.h"

enum {
	ANSWER_MAX_BYTES = 64 << 10,
	TOKEN_MAX_BYTES = 16 << 10,
	LIFE_MAX_S = 24 * 3600,
};

static bool refused(const struct http_response *response, struct err *err)
{
	json_t *root = body_parse(response->body, response->size);
	char word[64], text[128];

	body_excerpt(body_peek(root, "error"), word, sizeof word);
	body_excerpt(body_peek(root, "error_description"), text, sizeof text);
	if (!*text) /* Umbrella's */
		body_excerpt(body_peek(root, "message"), text, sizeof text);
	json_decref(root);
	enum err_kind kind = http_status_kind(response->status);

	if (kind == ERR_NONE) /* success, but a page of something in between */
		kind = ERR_TRANSIENT;
	else if (kind == ERR_PERMANENT) /* never about one event */
		kind = ERR_ACCOUNT;
	err_fill(err, kind, "no token: the token endpoint answered %d%s%s%s%s",
		 response->status, *word ? ", " : "", word, *text ? ", " : "", text);
	if (err && err->kind == ERR_TRANSIENT)
		err->retry_after_ms = http_retry_after_ms(response);
	return false;
}

static bool sendable(const char *token)
{
	size_t size = strlen(token);

	if (size == 0 || size > TOKEN_MAX_BYTES)
		return false;
	for (const char *c = token; *c; c++) {
		if (*c <= ' ' || *c == 0x7f)
			return false;
	}
	return true;
}

/* RFC 6749 has a number; Entra's older endpoint sends it as a text. */
static uint64_t life_of(const json_t *root)
{
	const char *text = body_peek(root, "expires_in");
	size_t size = strlen(text);

	if (size == 0)
		return body_number(root, "expires_in");
	return size <= 9 && strspn(text, "0123456789") == size ? strtoull(text, NULL, 10) : 0;
}

static bool read_token(const struct http_response *response, uint64_t default_life_ms,
		       struct vendor_token *ret_token, struct err *err)
{
	json_t *root = body_parse(response->body, response->size);
	const char *token = body_peek(root, "access_token");

	if (!sendable(token)) {
		json_decref(root);
		return err_set(err, ERR_TRANSIENT,
			       "no token: the token endpoint answered %d without one",
			       response->status);
	}
	uint64_t life_s = life_of(root);

	if (life_s > LIFE_MAX_S)
		life_s = LIFE_MAX_S;
	ret_token->token = xstrdup(token);
	ret_token->life_ms = life_s ? life_s * 1000 : default_life_ms;
	body_excerpt(body_peek(root, "scope"), ret_token->scope, sizeof ret_token->scope);
	json_decref(root);
	return true;
}

bool vendor_post_form(const struct vendor_grant *grant, const struct vendor_form *form,
		      struct vendor_token *ret_token, struct err *err)
{
	uint64_t now_ms = clock_mono_ms();

	*ret_token = (struct vendor_token){ 0 };
	if (now_ms >= grant->deadline_ms)
		return err_set(err, ERR_TRANSIENT, "no token: out of time");
	const struct http_request request = {
		.method = "POST",
		.url = form->url,
		.basic_user = form->basic_user,
		.basic_password = form->basic_password,
		.content_type = "application/x-www-form-urlencoded",
		.headers = form->headers,
		.body = form->text,
		.size = strlen(form->text),
		.timeout_ms = grant->deadline_ms - now_ms,
		.start_by_ms = grant->start_by_ms,
		.max_body_bytes = ANSWER_MAX_BYTES,
	};
	struct http_response response = { 0 };
	bool ok = http_exchange(grant->http, &request, &response, err);

	if (!ok) {
		err_prefix(err, "no token");
		if (err && err->kind == ERR_PERMANENT) /* too large an answer */
			err->kind = ERR_TRANSIENT;
	}
	if (ok && form->inspect)
		ok = form->inspect(&response, err);
	if (ok)
		ok = response.status == 200 && http_is_json(&response)
			 ? read_token(&response, form->life_ms, ret_token, err)
			 : refused(&response, err);
	if (!ok && err)
		err->ambiguous = false; /* the call itself was never made */
	if (response.body)		/* it held the token */
		explicit_bzero(response.body, response.size);
	http_response_done(&response);
	return ok;
}
