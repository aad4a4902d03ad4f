/*
 * inspect: finds observables in any text, as IROH inspect does: addresses, hashes, domains,
 * URLs, e-mail; defanged ones ("hxxp", "[.]") come out normalised.
 */
#include "inspect.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 2048 };

static bool all_in(const char *text, const char *set)
{
	return text[strspn(text, set)] == '\0';
}

static void replace(char *text, const char *from, const char *to)
{
	size_t from_size = strlen(from), to_size = strlen(to);

	for (char *at = text; (at = strstr(at, from)); at += to_size) {
		memmove(at + to_size, at + from_size, strlen(at + from_size) + 1);
		memcpy(at, to, to_size);
	}
}

/* The real one knows every top-level domain; these are enough not to take "Doc.Sample" for one.
 */
static bool is_top_level(const char *label)
{
	static const char known[] =
	    " com net org edu gov mil int info biz name pro app dev cloud online site top xyz "
	    "shop "
	    "club live tech store space host website link click example at au be br ca cc ch "
	    "cn co "
	    "cz de dk es eu fi fr in io it jp kr me nl no pl pw ru se su tv ua uk us ";
	char wanted[16];
	size_t size = strlen(label);

	if (size < 2 || size > 10)
		return false;
	snprintf(wanted, sizeof(wanted), " %s ", label);
	return strcasestr(known, wanted) != NULL;
}

static bool is_domain(const char *text)
{
	const char *last = strrchr(text, '.');

	if (!last || strlen(text) > 253 || strstr(text, "..") || *text == '.' || *text == '-')
		return false;
	for (const char *c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
			return false;
	}
	return is_top_level(last + 1);
}

/* Endings of programs and documents, which look like domains and are not. */
static bool is_file_name(const char *text)
{
	static const char *const endings[] = { ".exe", ".dll",	".doc", ".docx", ".docm",
					       ".xls", ".xlsx", ".pdf", ".js",	 ".vbs",
					       ".ps1", ".bat",	".zip", ".tmp",	 ".msi",
					       ".lnk", ".txt",	".sys", ".ioc" };
	const char *last = strrchr(text, '.');

	for (size_t i = 0; last && i < sizeof(endings) / sizeof(*endings); i++) {
		if (strcasecmp(last, endings[i]) == 0)
			return true;
	}
	return false;
}

static bool is_mac(const char *text)
{
	return strlen(text) == 17 && all_in(text, "0123456789abcdefABCDEF:-") &&
	       strchr(":-", text[2]) && text[5] == text[2] && text[14] == text[2];
}

static bool is_email(const char *text)
{
	const char *at = strchr(text, '@');

	return at && at > text && is_domain(at + 1);
}

/* NULL for a word that is no observable. */
static const char *word_type(const char *word)
{
	unsigned char address[16];
	size_t size = strlen(word);

	if (size > 10 &&
	    (strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0))
		return "url";
	if (inet_pton(AF_INET, word, address) == 1)
		return "ip";
	if (is_mac(word))
		return "mac_address";
	if (strchr(word, ':') && inet_pton(AF_INET6, word, address) == 1)
		return "ipv6";
	if (all_in(word, "0123456789abcdefABCDEF") && (size == 32 || size == 40 || size == 64))
		return size == 32 ? "md5" : size == 40 ? "sha1" : "sha256";
	if (is_email(word))
		return "email";
	if (is_file_name(word))
		return strpbrk(word, "/\\") ? NULL : "file_name";
	return is_domain(word) ? "domain" : NULL;
}

static void normalise(char *word)
{
	size_t size;

	replace(word, "[.]", ".");
	replace(word, "(.)", ".");
	replace(word, "[:]", ":");
	replace(word, "[@]", "@");
	if (strncmp(word, "hxxp", 4) == 0)
		memcpy(word, "http", 4);
	for (size = strlen(word); size > 0 && strchr(".:;!?)]}", word[size - 1]); size--)
		word[size - 1] = '\0';
}

static void add_word(json_t *found, char *word)
{
	normalise(word);
	const char *type = *word ? word_type(word) : NULL;
	size_t i;
	json_t *old;

	if (!type)
		return;
	if (strcmp(type, "url") != 0 && strcmp(type, "file_name") != 0) {
		for (char *c = word; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	}
	json_array_foreach(found, i, old)
	{
		if (strcmp(json_string_value(json_object_get(old, "value")), word) == 0)
			return;
	}
	json_t *row = json_pack("{s:s, s:s}", "value", word, "type", type);

	if (row)
		json_array_append_new(found, row);
}

json_t *inspect_text(const char *text)
{
	static const char separators[] = " \t\r\n\"'`,;<>{}|=*\\";
	json_t *found = json_array();
	char word[WORD_MAX];

	while (*text && json_array_size(found) < 1000) {
		text += strspn(text, separators);
		size_t size = strcspn(text, separators);

		if (size > 0 && size < sizeof(word)) {
			memcpy(word, text, size);
			word[size] = '\0';
			add_word(found, word);
		}
		text += size;
	}
	return found;
}
