/*
 * Signed links. What is signed is the domain, the key id and the payload, so that a signature
 * made for anything else, or under another name, is none here. The payload is
 *
 *	version 1, purpose 1, flags 1, partition 2, expires_ms 8, incident 8 (of its hex),
 *	sys_id 1 + 0 or 16 (of its hex), then installation, customer, instance, number: length 1
 *	and bytes
 *
 * with numbers in network order, and nothing after it: one link has one payload.
 */
#include "model/link.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/base64.h"
#include "model/link_keys.h"

enum {
	VERSION = 1,
	FLAG_NEEDS_CODE = 1,
	PARTITION_MAX = 65535,
	INCIDENT_BYTES = 8,
	SYS_ID_BYTES = 16,
	INSTALLATION_MAX = 12,
	CUSTOMER_MAX = 24,
	INSTANCE_MAX = 49,
	NUMBER_MAX = 40,
	PAYLOAD_MAX = 14 + INCIDENT_BYTES + SYS_ID_BYTES + 4 + INSTALLATION_MAX + CUSTOMER_MAX +
		      INSTANCE_MAX + NUMBER_MAX,
	BLOB_MAX = PAYLOAD_MAX + crypto_sign_BYTES,
	BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	SIGNED_MAX = 64 + PAYLOAD_MAX,
};

static const char domain[] = "tocsin link v1";

static_assert(KEY_FILE_ID_SIZE + (BLOB_MAX * 8 + 5) / 6 < LINK_TOKEN_MAX,
	      "the longest token is within its bound");

static const char *const purposes[] = {
	[LINK_VERDICT] = "verdict",
	[LINK_APPROVE] = "approve",
	[LINK_CLOSE] = "close",
};

const char *link_purpose_name(enum link_purpose purpose)
{
	return purposes[purpose];
}

const char *link_fault_name(enum link_fault fault)
{
	static const char *const names[] = {
		[LINK_GOOD] = "good",	    [LINK_MALFORMED] = "malformed",
		[LINK_FORGED] = "forged",   [LINK_FOREIGN] = "foreign",
		[LINK_MISUSED] = "misused", [LINK_EXPIRED] = "expired",
	};

	return names[fault];
}

/* ---- writing the payload ---- */

static void put_number(struct buf *out, uint64_t number, unsigned bytes)
{
	for (unsigned i = bytes; i > 0; i--) {
		unsigned char byte = (unsigned char)(number >> 8 * (i - 1));

		buf_add(out, &byte, 1);
	}
}

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

static bool put_text(struct buf *out, const char *name, const char *text, size_t max,
		     struct err *err)
{
	size_t size = text ? strlen(text) : 0;

	if (size > max || (text && !is_plain(text)))
		return err_set(err, ERR_PERMANENT, "a link cannot carry this %s", name);
	put_number(out, size, 1);
	buf_add(out, text, size);
	return true;
}

static bool put_hex(struct buf *out, const char *name, const char *hex, size_t bytes,
		    struct err *err)
{
	unsigned char raw[SYS_ID_BYTES];
	size_t size = 0;

	if (!hex || strlen(hex) != 2 * bytes || strspn(hex, "0123456789abcdef") != 2 * bytes ||
	    sodium_hex2bin(raw, sizeof(raw), hex, 2 * bytes, NULL, &size, NULL) != 0)
		return err_set(err, ERR_PERMANENT, "a link cannot carry this %s", name);
	buf_add(out, raw, size);
	return true;
}

static bool put_payload(struct buf *out, const struct link *link, struct err *err)
{
	bool has_ticket = link->sys_id && *link->sys_id;

	if (link->purpose >= LINK_PURPOSES || link->partition > PARTITION_MAX ||
	    (link->expires_ms == 0 && link->purpose != LINK_CLOSE))
		return err_set(err, ERR_PERMANENT, "a link needs a purpose and an end");
	put_number(out, VERSION, 1);
	put_number(out, link->purpose, 1);
	put_number(out, link->needs_code ? FLAG_NEEDS_CODE : 0, 1);
	put_number(out, link->partition, 2);
	put_number(out, link->expires_ms, 8);
	if (!put_hex(out, "incident", link->incident, INCIDENT_BYTES, err))
		return false;
	put_number(out, has_ticket ? SYS_ID_BYTES : 0, 1);
	return (!has_ticket || put_hex(out, "sys_id", link->sys_id, SYS_ID_BYTES, err)) &&
	       put_text(out, "installation", link->installation, INSTALLATION_MAX, err) &&
	       put_text(out, "customer", link->customer, CUSTOMER_MAX, err) &&
	       put_text(out, "instance", link->instance, INSTANCE_MAX, err) &&
	       put_text(out, "number", link->number, NUMBER_MAX, err);
}

/* ---- reading it ---- */

struct reader {
	const unsigned char *at;
	size_t left;
	bool bad;
};

static const unsigned char *take(struct reader *reader, size_t size)
{
	const unsigned char *at = reader->at;

	if (reader->bad || size > reader->left) {
		reader->bad = true;
		return NULL;
	}
	reader->at += size;
	reader->left -= size;
	return at;
}

static uint64_t take_number(struct reader *reader, unsigned bytes)
{
	const unsigned char *at = take(reader, bytes);
	uint64_t number = 0;

	for (unsigned i = 0; at && i < bytes; i++)
		number = number << 8 | at[i];
	return number;
}

static const char *take_text(struct reader *reader, size_t max, struct arena *arena)
{
	size_t size = (size_t)take_number(reader, 1);
	const unsigned char *at = size <= max ? take(reader, size) : NULL;

	if (!at) {
		reader->bad = true;
		return "";
	}

	const char *text = arena_strndup(arena, (const char *)at, size);

	/* A NUL in it would give one link two payloads. */
	if (strlen(text) != size || !is_plain(text))
		reader->bad = true;
	return text;
}

static const char *take_hex(struct reader *reader, size_t bytes, struct arena *arena)
{
	const unsigned char *at = take(reader, bytes);
	char *hex = arena_alloc(arena, 2 * bytes + 1);

	return at ? sodium_bin2hex(hex, 2 * bytes + 1, at, bytes) : hex;
}

static bool take_payload(const unsigned char *payload, size_t size, struct arena *arena,
			 struct link *ret_link)
{
	struct reader reader = { payload, size, false };
	struct link link = { 0 };

	if (take_number(&reader, 1) != VERSION)
		return false;

	uint64_t purpose = take_number(&reader, 1);
	uint64_t flags = take_number(&reader, 1);

	if (purpose >= LINK_PURPOSES || flags > FLAG_NEEDS_CODE)
		return false;
	link.purpose = (enum link_purpose)purpose;
	link.needs_code = flags == FLAG_NEEDS_CODE;
	link.partition = (unsigned)take_number(&reader, 2);
	link.expires_ms = take_number(&reader, 8);
	link.incident = take_hex(&reader, INCIDENT_BYTES, arena);

	uint64_t sys_id_bytes = take_number(&reader, 1);

	if (sys_id_bytes != 0 && sys_id_bytes != SYS_ID_BYTES)
		return false;
	link.sys_id = take_hex(&reader, (size_t)sys_id_bytes, arena);
	link.installation = take_text(&reader, INSTALLATION_MAX, arena);
	link.customer = take_text(&reader, CUSTOMER_MAX, arena);
	link.instance = take_text(&reader, INSTANCE_MAX, arena);
	link.number = take_text(&reader, NUMBER_MAX, arena);
	if (reader.bad || reader.left > 0 ||
	    (link.expires_ms == 0 && link.purpose != LINK_CLOSE))
		return false;
	*ret_link = link;
	return true;
}

/* ---- tokens ---- */

static size_t signed_bytes(unsigned char *ret_bytes, const char *key_id,
			   const unsigned char *payload, size_t size)
{
	size_t id_size = strlen(key_id) + 1;

	memcpy(ret_bytes, domain, sizeof(domain));
	memcpy(ret_bytes + sizeof(domain), key_id, id_size);
	memcpy(ret_bytes + sizeof(domain) + id_size, payload, size);
	return sizeof(domain) + id_size + size;
}

static_assert(sizeof(domain) + KEY_FILE_ID_SIZE + PAYLOAD_MAX <= SIGNED_MAX,
	      "what is signed has room");

static void set_id(struct link *link, const unsigned char *payload, size_t size)
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(digest, payload, size);
	sodium_bin2hex(link->id, sizeof(link->id), digest, (sizeof(link->id) - 1) / 2);
}

const char *link_sign(const struct link_keys *keys, struct link *link, struct arena *arena,
		      struct err *err)
{
	const struct link_key *key = link_keys_newest(keys);
	unsigned char message[SIGNED_MAX];
	char encoded[sodium_base64_ENCODED_LEN(BLOB_MAX, BASE64)];
	unsigned char blob[BLOB_MAX];
	struct buf payload;

	buf_init(&payload, PAYLOAD_MAX);
	if (!keys->private)
		err_fill(err, ERR_PERMANENT, "links are signed with the private key");
	if (!keys->private || !put_payload(&payload, link, err)) {
		buf_done(&payload);
		return NULL;
	}

	size_t size = payload.size;

	memcpy(blob, payload.data, size);
	buf_done(&payload);
	(void)crypto_sign_detached(blob + size, NULL, message,
				   signed_bytes(message, key->id, blob, size), key->secret);
	set_id(link, blob, size);
	sodium_bin2base64(encoded, sizeof(encoded), blob, size + crypto_sign_BYTES, BASE64);
	return arena_printf(arena, "%s.%s", key->id, encoded);
}

/* Splits and checks the signature; the payload is in ret_blob. */
static enum link_fault open_token(const struct link_keys *keys, const char *token,
				  unsigned char *ret_blob, size_t *ret_size)
{
	unsigned char message[SIGNED_MAX];
	size_t id_size = strspn(token, key_file_letters), size = 0;
	char id[KEY_FILE_ID_SIZE];

	if (id_size == 0 || id_size >= KEY_FILE_ID_SIZE || token[id_size] != '.' ||
	    strnlen(token, LINK_TOKEN_MAX + 1) > LINK_TOKEN_MAX ||
	    !base64_decode(token + id_size + 1, strlen(token + id_size + 1), BASE64, NULL,
			   ret_blob, BLOB_MAX, &size) ||
	    size <= crypto_sign_BYTES || size > BLOB_MAX)
		return LINK_MALFORMED;
	size -= crypto_sign_BYTES;

	memcpy(id, token, id_size);
	id[id_size] = '\0';
	const struct link_key *key = link_keys_find(keys, id);

	if (!key || crypto_sign_verify_detached(ret_blob + size, message,
						signed_bytes(message, key->id, ret_blob, size),
						key->verifies) != 0)
		return LINK_FORGED;
	*ret_size = size;
	return LINK_GOOD;
}

enum link_fault link_verify(const struct link_keys *keys, const struct link_check *check,
			    const char *token, struct arena *arena, struct link *ret_link)
{
	unsigned char blob[BLOB_MAX];
	size_t size = 0;
	enum link_fault fault = open_token(keys, token, blob, &size);

	memset(ret_link, 0, sizeof(*ret_link));
	if (fault != LINK_GOOD)
		return fault;
	/* Signed by us, but by another version: it means nothing to this one. */
	if (!take_payload(blob, size, arena, ret_link))
		return LINK_MALFORMED;
	set_id(ret_link, blob, size);
	if (strcmp(ret_link->installation, check->installation) != 0)
		return LINK_FOREIGN;
	if (ret_link->purpose != check->purpose)
		return LINK_MISUSED;
	if (ret_link->expires_ms != 0 && check->now_ms >= ret_link->expires_ms)
		return LINK_EXPIRED;
	return LINK_GOOD;
}

const char *link_url(const char *public_url, enum link_purpose purpose, const char *token,
		     const char *verdict, struct arena *arena)
{
	return arena_printf(arena, "%s/v1/%s/%s%s%s", public_url, purposes[purpose], token,
			    verdict ? "?verdict=" : "", verdict ? verdict : "");
}
