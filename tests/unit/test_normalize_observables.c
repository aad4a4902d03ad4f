/* What is found in texts, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "normalize/observables.h"

static const char *const kinds[] = { "ip",   "domain", "url",  "email",
				     "file", "md5",    "sha1", "sha256" };

#define MD5    "0123456789abcdef0123456789ABCDEF"
#define SHA1   "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void texts(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "nothing to see here, e.g. v1.2.3 or user.name", "" },
		{ "198.51.100.7", "ip:198.51.100.7 " },
		{ "198.51.100.7:443, 198.51.100.7/24", "ip:198.51.100.7 " },
		{ "198.51.100.256 1.2.3 1.2.3.4.5", "" },
		{ "2001:db8::1 [2001:db8::2]:443", "ip:2001:db8::1 ip:2001:db8::2 " },
		{ "00:00:5e:00:53:01 12:30:45 ::", "" },
		{ "Evil.Example evil.example.", "domain:evil.example " },
		{ "xn--bcher-kva.example a.b.co.uk", "domain:xn--bcher-kva.example "
						     "domain:a.b.co.uk " },
		{ "-bad.example bad-.example b..example _dmarc.bad.example",
		  "domain:bad.example domain:_dmarc.bad.example " },
		{ "file.identity.sha256 computer.hostname", "" },
		{ "see http://bad.example/a?b=1&c=2.", "url:http://bad.example/a?b=1&c=2 " },
		{ "(https://bad.example/a_(b))", "url:https://bad.example/a_(b) " },
		{ "<ftp://bad.example> 'https://198.51.100.7:8443/x'",
		  "url:ftp://bad.example url:https://198.51.100.7:8443/x " },
		{ "http:// http://- https://localhost/x", "" },
		{ "bad.example/path bad.example:8080/x", "domain:bad.example " },
		{ "hxxp://bad[.]example hxxps[:]//bad(.)example/x",
		  "url:http://bad.example url:https://bad.example/x " },
		{ "198[.]51[.]100[.]7 user[at]bad[dot]example",
		  "ip:198.51.100.7 email:user@bad.example " },
		{ "a.b+c@bad.example @bad.example a@b a@@bad.example",
		  "email:a.b+c@bad.example domain:bad.example " },
		{ MD5, "md5:0123456789abcdef0123456789abcdef " },
		{ "sha1=" SHA1 " sha256:" SHA256, "sha1:" SHA1 " sha256:" SHA256 " " },
		{ SHA256 "0 x" SHA1 " 0123", "" },
		{ "5d2f9a3c-1b1f-4a38-8d3e-0f7c2f5b6a11", "" },
		{ "setup.exe Invoice.PDF .exe exe", "file:setup.exe file:Invoice.PDF " },
		{ "C:\\Users\\jdoe\\run.ps1 /tmp/x/dropper.elf", "file:run.ps1 "
								 "file:dropper.elf " },
		{ "{\"file_name\":\"a.dll\",\"ip\":\"198.51.100.7\"}",
		  "file:a.dll ip:198.51.100.7 " },
		{ "a.dll a.dll A.dll", "file:a.dll file:A.dll " },
		{ "\xc3\xbc.example \xff\xfe 198.51.100.7", "ip:198.51.100.7 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct observables_item items[16];
		struct arena *arena = arena_new();
		struct buf got;
		size_t count =
		    observables_find(rows[i].text, strlen(rows[i].text), arena, items, 16);

		buf_init(&got, 4096);
		for (size_t k = 0; k < count; k++)
			buf_addf(&got, "%s:%s ", kinds[items[k].kind], items[k].value);
		if (strcmp(buf_text(&got), rows[i].want) != 0)
			fail_msg("\"%s\": want %s, got %s", rows[i].text, rows[i].want,
				 buf_text(&got));
		buf_done(&got);
		arena_free(arena);
	}
}

static void no_more_than_wanted(void **state)
{
	struct observables_item items[2];
	struct arena *arena = arena_new();
	const char text[] = "198.51.100.1 198.51.100.2 198.51.100.3";

	(void)state;
	assert_int_equal(observables_find(text, strlen(text), arena, items, 2), 2);
	assert_int_equal(observables_find(text, 12, arena, items, 2), 1);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(no_more_than_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
