#include "certificate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "model/vault.h"
#include "net/httpd.h"

enum { PEM_MAX = 256 * 1024 };

static struct metric expiry = {
	.name = "tocsin_callback_certificate_expiry_timestamp_seconds",
	.kind = METRIC_GAUGE,
	.help = "end of the certificate that the callback service shows, where it speaks TLS "
		"itself",
};
struct metric *const certificate_metrics[] = { &expiry, NULL };

static bool read_pem(const char *path, struct file_stamp *ret_stamp, char **ret_text,
		     struct err *err)
{
	*ret_text = NULL;
	if (!path)
		return true;
	(void)file_stamp_take(path, ret_stamp); /* reading says what is wrong */
	*ret_text = conf_read_file(path, PEM_MAX, err);
	return *ret_text != NULL;
}

bool certificate_read(struct certificate *certificate, char **ret_certificate, char **ret_key,
		      struct err *err)
{
	if (!read_pem(certificate->certificate_file, &certificate->stamps[0], ret_certificate,
		      err))
		return false;
	if (read_pem(certificate->key_file, &certificate->stamps[1], ret_key, err))
		return true;
	free(*ret_certificate);
	*ret_certificate = NULL;
	return false;
}

void certificate_started(const struct httpd *httpd)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t until_s = httpd_tls_until_s(httpd);

	if (until_s == 0)
		return;
	metric_set(&expiry, (double)until_s);
	clock_format((uint64_t)until_s * 1000, text);
	log_info("the certificate is good until %s", text);
}

static bool unchanged(const struct certificate *certificate)
{
	struct file_stamp now[2];

	(void)file_stamp_take(certificate->certificate_file, &now[0]);
	(void)file_stamp_take(certificate->key_file, &now[1]);
	return file_stamp_equal(&now[0], &certificate->stamps[0]) &&
	       file_stamp_equal(&now[1], &certificate->stamps[1]);
}

static bool renew(struct certificate *certificate, struct httpd *httpd, struct err *err)
{
	struct certificate next = *certificate;
	char *text = NULL, *key = NULL;
	bool good =
	    certificate_read(&next, &text, &key, err) && httpd_renew_tls(httpd, text, key, err);

	free(text);
	vault_wipe(key);
	if (good)
		*certificate = next;
	return good;
}

/* Once, and not before it is the same at two looks: the other file may be on its way. */
static void say_refused(struct certificate *certificate, const struct err *err)
{
	bool again = strcmp(err->text, certificate->refused.text) == 0;

	if (again && !certificate->said)
		log_error("the new certificate in %s and its key in %s are not used, the one "
			  "before stays: %s",
			  certificate->certificate_file, certificate->key_file, err->text);
	certificate->said = again;
	certificate->refused = *err;
}

void certificate_look(struct certificate *certificate, struct httpd *httpd)
{
	struct err err = { 0 };

	if (!certificate->key_file || unchanged(certificate)) {
		certificate->refused = err;
		return;
	}
	if (!renew(certificate, httpd, &err)) {
		say_refused(certificate, &err);
		return;
	}
	certificate->refused = (struct err){ 0 };
	certificate_started(httpd);
}
