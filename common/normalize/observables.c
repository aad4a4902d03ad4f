/* Finding what can be looked up in a text. */
#include "normalize/observables.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"

#include "normalize/ocsf_url.h"
#include "normalize/text.h"

enum { WORD_MAX = 2048, DOMAIN_MAX = 253, LABEL_MAX = 63, NAME_MAX_BYTES = 255 };

struct search {
	struct arena *arena;
	struct observables_item *items;
	size_t count, max;
};

static void add(struct search *search, enum observable_kind kind, const char *value)
{
	for (size_t i = 0; i < search->count; i++) {
		if (search->items[i].kind == kind && strcmp(search->items[i].value, value) == 0)
			return;
	}
	if (search->count < search->max)
		search->items[search->count++] = (struct observables_item){ kind, value };
}

/* ---- refanging ---- */

struct rewrite {
	const char *from, *to;
};

static const struct rewrite rewrites[] = {
	{ "[.]", "." },	  { "(.)", "." },     { "{.}", "." },	      { "[dot]", "." },
	{ "(dot)", "." }, { "{dot}", "." },   { "[:]", ":" },	      { "[://]", "://" },
	{ "[/]", "/" },	  { "[@]", "@" },     { "(@)", "@" },	      { "[at]", "@" },
	{ "(at)", "@" },  { "hxxp", "http" }, { "fxp://", "ftp://" },
};

static const struct rewrite *rewrite_at(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof rewrites / sizeof rewrites[0]; i++) {
		size_t length = strlen(rewrites[i].from);
		if (length <= size && strncasecmp(text, rewrites[i].from, length) == 0)
			return &rewrites[i];
	}
	return NULL;
}

/* Never longer than it was. */
static char *refang(const char *text, size_t size, struct arena *arena)
{
	char *copy = arena_alloc(arena, size + 1), *out = copy;

	while (size > 0) {
		const struct rewrite *rewrite = strchr("[({hf", tolower((unsigned char)*text))
						    ? rewrite_at(text, size)
						    : NULL;
		size_t taken = rewrite ? strlen(rewrite->from) : 1;
		if (rewrite) {
			size_t length = strlen(rewrite->to);
			memcpy(out, rewrite->to, length);
			out += length;
		} else {
			*out++ = *text ? *text : ' ';
		}
		text += taken;
		size -= taken;
	}
	*out = '\0';
	return copy;
}

/* ---- kinds ---- */

static bool all_of(const char *text, size_t size, int (*is)(int c))
{
	for (size_t i = 0; i < size; i++) {
		if (!is((unsigned char)text[i]))
			return false;
	}
	return size > 0;
}

/* What follows the last point of names of files rather than of hosts. Some are countries or
 * names of top-level domains too; in what security products write they are files. */
static bool is_file_ending(const char *ending)
{
	static const char *const endings[] = {
		"exe",	"dll",	"sys",	"scr",	"pif",	"bat",	"cmd",	"ps1",	"psm1", "vbs",
		"vbe",	"js",	"jse",	"wsf",	"hta",	"msi",	"msp",	"msix", "jar",	"apk",
		"lnk",	"iso",	"img",	"vhd",	"vhdx", "doc",	"docx", "docm", "dotm", "xls",
		"xlsx", "xlsm", "xlsb", "xll",	"ppt",	"pptx", "pptm", "rtf",	"pdf",	"rar",
		"zip",	"7z",	"gz",	"tgz",	"tar",	"bz2",	"cab",	"tmp",	"dat",	"bin",
		"txt",	"log",	"csv",	"json", "xml",	"html", "htm",	"php",	"asp",	"aspx",
		"jsp",	"eml",	"msg",	"elf",	"dmg",	"pkg",	"deb",	"rpm",	"py",	"ini",
		"cfg",	"one",	"chm",	"ocx",	"drv",	"cpl",	"reg",	"url",	"wll",	NULL,
	};

	for (size_t i = 0; endings[i]; i++) {
		if (strcasecmp(endings[i], ending) == 0)
			return true;
	}
	return false;
}

/* Names of two letters are countries'; of the others those that are met. A list of all would be
 * old tomorrow, and "user.name" is no domain. */
static bool is_top_level(const char *label, size_t size)
{
	static const char *const names[] = {
		"com",	     "net",	   "org",      "info",	   "biz",     "edu",
		"gov",	     "mil",	   "arpa",     "pro",	   "aero",    "mobi",
		"asia",	     "jobs",	   "tel",      "travel",   "xxx",     "app",
		"dev",	     "page",	   "xyz",      "online",   "site",    "top",
		"club",	     "shop",	   "store",    "tech",	   "space",   "website",
		"live",	     "vip",	   "icu",      "work",	   "cloud",   "click",
		"link",	     "press",	   "fun",      "digital",  "email",   "news",
		"agency",    "network",	   "world",    "today",	   "life",    "rocks",
		"center",    "company",	   "group",    "services", "support", "systems",
		"solutions", "security",   "software", "download", "win",     "bid",
		"loan",	     "stream",	   "review",   "trade",	   "party",   "science",
		"racing",    "accountant", "faith",    "cricket",  "buzz",    "monster",
		"cyou",	     "cfd",	   "sbs",      "quest",	   "bond",    "lol",
		"pics",	     "beauty",	   "hair",     "skin",	   "makeup",  "mom",
		"autos",     "bar",	   "best",     "zone",	   "art",     "blog",
		"design",    "finance",	   "money",    "bank",	   "capital", "global",
		"onion",     "example",	   "test",     "invalid",  "local",   "lan",
		"internal",  "corp",	   "home",     "intranet", NULL,
	};

	if (size == 2)
		return all_of(label, 2, isalpha);
	if (size > 4 && strncasecmp(label, "xn--", 4) == 0)
		return true;
	for (size_t i = 0; names[i]; i++) {
		if (strlen(names[i]) == size && strncasecmp(names[i], label, size) == 0)
			return true;
	}
	return false;
}

static bool is_domain(const char *text)
{
	const char *label = text;
	size_t labels = 0, size = 0;

	if (strlen(text) > DOMAIN_MAX)
		return false;
	for (;; label += size + 1) {
		size = strcspn(label, ".");
		if (size == 0 || size > LABEL_MAX || label[0] == '-' || label[size - 1] == '-')
			return false;
		for (size_t i = 0; i < size; i++) {
			if (!isalnum((unsigned char)label[i]) && label[i] != '-' &&
			    label[i] != '_')
				return false;
		}
		labels++;
		if (label[size] == '\0')
			break;
	}
	return labels >= 2 && !is_file_ending(label) && is_top_level(label, size);
}

static bool is_email(const char *text)
{
	const char *at = strchr(text, '@');
	size_t size = at ? (size_t)(at - text) : 0;

	if (size == 0 || size > 64 || strchr(at + 1, '@') || !is_domain(at + 1))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) &&
		    !strchr("!#$%&'*+/=?^_`{|}~.-", text[i]))
			return false;
	}
	return true;
}

static bool is_ip(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       (strchr(text, ':') && inet_pton(AF_INET6, text, bytes) == 1);
}

/* "setup.exe", not "v1.2" nor "e.g". */
static bool is_file_name(const char *text)
{
	const char *point = strrchr(text, '.');

	if (!point || point == text || strlen(text) > NAME_MAX_BYTES ||
	    !is_file_ending(point + 1))
		return false;
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || strchr("/\\:*?\"<>|", *c))
			return false;
	}
	return true;
}

static bool add_hash(struct search *search, const char *text)
{
	size_t size = strlen(text);
	enum observable_kind kind = size == 64	 ? OBSERVABLE_SHA256
				    : size == 40 ? OBSERVABLE_SHA1
						 : OBSERVABLE_MD5;

	if ((size != 32 && size != 40 && size != 64) || !all_of(text, size, isxdigit))
		return false;
	add(search, kind, text_lower(search->arena, text, size));
	return true;
}

/* ---- words ---- */

/* True when the word is something. */
static bool classify(struct search *search, const char *word)
{
	if (is_ip(word))
		add(search, OBSERVABLE_IP, word);
	else if (is_email(word))
		add(search, OBSERVABLE_EMAIL, word);
	else if (is_file_name(word))
		add(search, OBSERVABLE_FILE_NAME, word);
	else if (is_domain(word))
		add(search, OBSERVABLE_DOMAIN, text_lower(search->arena, word, strlen(word)));
	else
		return add_hash(search, word);
	return true;
}

/* Without the punctuation of the sentence around it. */
static const char *trim(struct search *search, const char *word, size_t size)
{
	while (size > 0 && strchr(".:!?*#-+&$%^~/@", *word)) {
		word++;
		size--;
	}
	while (size > 0 && strchr(".:!?*#+&$%^~/@", word[size - 1]))
		size--;
	return arena_strndup(search->arena, word, size);
}

/* A word as it is, else the end of a path, else what is before a port or a path. */
static void take_word(struct search *search, const char *text, size_t size)
{
	const char *word = trim(search, text, size);
	const char *slash = strrchr(word, '\\');

	if (*word == '\0' || classify(search, word))
		return;
	if (!slash)
		slash = *text == '/' ? strrchr(word, '/') : NULL;
	if (slash) {
		if (is_file_name(slash + 1))
			add(search, OBSERVABLE_FILE_NAME, slash + 1);
		return;
	}
	/* "sha256:...", "10.0.0.1:443", "evil.example/path", "a.example:8080/x" */
	for (const char *at = word; *at;) {
		size_t part = strcspn(at, ":/@");
		const char *piece = arena_strndup(search->arena, at, part);
		(void)classify(search, piece);
		at += part;
		if (*at == '/')
			break;
		at += *at != '\0';
	}
}

static const char blanks[] = " \t\r\n\"'`<>|,;(){}[]=";

/* Every bracket that closes was opened: the last one is not of the sentence around it. */
static bool is_balanced(const char *text, size_t size)
{
	size_t opened = 0, closed = 0;

	for (size_t i = 0; i < size; i++) {
		opened += text[i] == '(';
		closed += text[i] == ')';
	}
	return closed <= opened;
}

/* How much of the text is a URL, when one begins here. */
static size_t url_size(const char *text)
{
	size_t scheme = 0;

	while (isalnum((unsigned char)text[scheme]) || (scheme > 0 && text[scheme] == '+'))
		scheme++;
	if (scheme < 2 || scheme > 12 || !isalpha((unsigned char)text[0]) ||
	    strncmp(text + scheme, "://", 3) != 0)
		return 0;
	size_t size = scheme + 3 + strcspn(text + scheme + 3, " \t\r\n\"`<>|\\^{}");
	while (size > 0 && strchr(".,:;!?)]'*", text[size - 1]) &&
	       !(text[size - 1] == ')' && is_balanced(text, size)))
		size--;
	return size > scheme + 3 && size <= WORD_MAX ? size : 0;
}

static bool take_url(struct search *search, const char *text, size_t size)
{
	const char *url = arena_strndup(search->arena, text, size);
	struct ocsf_url parts;

	if (!ocsf_url_split(url, &parts, search->arena) || !parts.host ||
	    (!is_ip(parts.host) && !strchr(parts.host, '.')))
		return false;
	add(search, OBSERVABLE_URL, url);
	return true;
}

size_t observables_find(const char *text, size_t size, struct arena *arena,
			struct observables_item *ret_items, size_t max)
{
	struct search search = { .arena = arena, .items = ret_items, .max = max };
	const char *at =
	    refang(text, size < OBSERVABLES_TEXT_MAX ? size : OBSERVABLES_TEXT_MAX, arena);

	while (*at && search.count < max) {
		at += strspn(at, blanks);
		size_t taken = url_size(at);
		if (taken > 0 && take_url(&search, at, taken)) {
			at += taken;
			continue;
		}
		taken = strcspn(at, blanks);
		if (taken > 0 && taken <= WORD_MAX)
			take_word(&search, at, taken);
		at += taken;
	}
	return search.count;
}
