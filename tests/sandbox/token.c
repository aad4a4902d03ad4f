/*
 * token: bearer tokens that look like the vendors', and random identities.
 */
#include "token.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

enum { TOKENS_MAX = 20000, TOKEN_PART_MAX = 512 };

/* Names are no secrets: randomness is fetched from the kernel a page at a time. */
void id_hex(char out[ID_HEX_SIZE])
{
	static _Thread_local unsigned char pool[4096];
	static _Thread_local size_t left;

	if (left < 16) {
		randombytes_buf(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= 16;
	sodium_bin2hex(out, ID_HEX_SIZE, pool + left, 16);
}

void id_uuid(char out[ID_UUID_SIZE])
{
	char hex[ID_HEX_SIZE];

	id_hex(hex);
	hex[12] = '4';
	hex[16] = "89ab"[(unsigned char)hex[16] & 3];
	snprintf(out, ID_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
}

void tokens_done(struct tokens *tokens)
{
	for (struct token *token = tokens->first, *next; token; token = next) {
		next = token->next;
		free(token->text);
		free(token->subject);
		free(token);
	}
	index_done(&tokens->index);
	*tokens = (struct tokens){ 0 };
}

static char *token_text(const char *key, const char *claims)
{
	char payload[TOKEN_PART_MAX], encoded[TOKEN_PART_MAX * 2], mark[64];
	unsigned char random[24];
	struct buf text;

	randombytes_buf(random, sizeof(random));
	sodium_bin2base64(mark, sizeof(mark), random, sizeof(random),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(payload, sizeof(payload), "{\"sub\":\"%.128s\"%.300s}", key, claims);
	sodium_bin2base64(encoded, sizeof(encoded), (unsigned char *)payload, strlen(payload),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_init(&text, 4096);
	buf_addf(&text, "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.%s.%s", encoded, mark);
	return buf_take(&text, NULL);
}

const struct token *tokens_issue(struct tokens *tokens, const char *key, const char *subject,
				 uint64_t lifetime_ms)
{
	return tokens_issue_claims(tokens, key, subject, "", lifetime_ms);
}

const struct token *tokens_issue_claims(struct tokens *tokens, const char *key,
					const char *subject, const char *claims,
					uint64_t lifetime_ms)
{
	struct token *token = xcalloc(1, sizeof(*token));

	if (tokens->count >= TOKENS_MAX)
		tokens_done(tokens);
	token->text = token_text(key, claims);
	token->subject = xstrdup(subject);
	token->expires_ms = clock_mono_ms() + lifetime_ms;
	token->next = tokens->first;
	tokens->first = token;
	tokens->count++;
	index_add(&tokens->index, token->text, token);
	return token;
}

enum token_state tokens_check(const struct tokens *tokens, const char *text,
			      const struct token **ret_token)
{
	*ret_token = index_get(&tokens->index, text);
	if (!*ret_token)
		return TOKEN_UNKNOWN;
	return (*ret_token)->expires_ms > clock_mono_ms() ? TOKEN_GOOD : TOKEN_EXPIRED;
}

const char *token_key(struct arena *arena, const char *text)
{
	static const char head[] = "{\"sub\":\"";
	const char *part = strchr(text, '.');
	const char *end = part ? strchr(part + 1, '.') : NULL;
	unsigned char *payload = arena_alloc(arena, TOKEN_PART_MAX);
	size_t size = 0;

	if (!end ||
	    sodium_base642bin(payload, TOKEN_PART_MAX - 1, part + 1, (size_t)(end - part - 1),
			      NULL, &size, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return NULL;
	payload[size] = '\0';
	char *key = (char *)payload + sizeof(head) - 1;
	char *quote = size > sizeof(head) ? strchr(key, '"') : NULL;

	if (!quote || strncmp((char *)payload, head, sizeof(head) - 1) != 0)
		return NULL;
	*quote = '\0';
	return key;
}
