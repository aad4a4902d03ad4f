/* The certificate of a server, asked for by GnuTLS at each handshake. */
#include "net/httpd_tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/buf.h"
#include "base/clock.h"

struct pair {
	gnutls_x509_crt_t *chain; /* the server's own first */
	unsigned count;
	gnutls_x509_privkey_t key;
};

struct httpd_tls {
	pthread_mutex_t lock;
	struct pair shown;
};

static void pair_done(struct pair *pair)
{
	for (unsigned i = 0; i < pair->count; i++)
		gnutls_x509_crt_deinit(pair->chain[i]);
	gnutls_free(pair->chain);
	if (pair->key)
		gnutls_x509_privkey_deinit(pair->key);
	*pair = (struct pair){ 0 };
}

/* ---- reading ---- */

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)text, (unsigned)strlen(text) };
}

static bool take(int status, const char *what, struct err *err)
{
	return status >= 0 ||
	       err_set(err, ERR_PERMANENT, "TLS: %s: %s", what, gnutls_strerror(status));
}

/* The same checks as when GnuTLS reads them itself: the order of the chain, and that the key is
 * the certificate's. */
static bool check_match(const struct pair *pair, struct err *err)
{
	gnutls_certificate_credentials_t probe;

	if (!take(gnutls_certificate_allocate_credentials(&probe), "starting", err))
		return false;
	int status =
	    gnutls_certificate_set_x509_key(probe, pair->chain, (int)pair->count, pair->key);
	gnutls_certificate_free_credentials(probe);
	return take(status, "certificate and key", err);
}

static bool pair_read(struct pair *pair, const char *certificate, const char *key,
		      struct err *err)
{
	const gnutls_datum_t chain_text = datum(certificate), key_text = datum(key);

	return take(gnutls_x509_crt_list_import2(&pair->chain, &pair->count, &chain_text,
						 GNUTLS_X509_FMT_PEM,
						 GNUTLS_X509_CRT_LIST_SORT),
		    "certificate", err) &&
	       take(gnutls_x509_privkey_init(&pair->key), "starting", err) &&
	       take(gnutls_x509_privkey_import2(pair->key, &key_text, GNUTLS_X509_FMT_PEM, NULL,
						0),
		    "key", err) &&
	       check_match(pair, err);
}

static int64_t until_s(const struct pair *pair)
{
	return (int64_t)gnutls_x509_crt_get_expiration_time(pair->chain[0]);
}

struct httpd_tls *httpd_tls_new(const char *certificate, const char *key, struct err *err)
{
	struct httpd_tls *tls = xcalloc(1, sizeof *tls);

	pthread_mutex_init(&tls->lock, NULL);
	if (pair_read(&tls->shown, certificate, key, err))
		return tls;
	httpd_tls_free(tls);
	return NULL;
}

bool httpd_tls_renew(struct httpd_tls *tls, const char *certificate, const char *key,
		     struct err *err)
{
	struct pair pair = { 0 };
	bool good = pair_read(&pair, certificate, key, err);

	if (good && until_s(&pair) <= (int64_t)(clock_wall_ms() / 1000))
		good = err_set(err, ERR_PERMANENT, "TLS: the certificate has expired");
	if (good) {
		pthread_mutex_lock(&tls->lock);
		const struct pair before = tls->shown;
		tls->shown = pair;
		pthread_mutex_unlock(&tls->lock);
		pair = before;
	}
	pair_done(&pair);
	return good;
}

int64_t httpd_tls_until(struct httpd_tls *tls)
{
	pthread_mutex_lock(&tls->lock);
	int64_t until = until_s(&tls->shown);
	pthread_mutex_unlock(&tls->lock);
	return until;
}

void httpd_tls_free(struct httpd_tls *tls)
{
	if (!tls)
		return;
	pair_done(&tls->shown);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

/* ---- handshakes ---- */

static int copy_chain(const struct pair *pair, gnutls_pcert_st *ret_chain, unsigned *ret_count)
{
	int status = 0;

	for (*ret_count = 0; *ret_count < pair->count && status >= 0; *ret_count += status >= 0)
		status = gnutls_pcert_import_x509(&ret_chain[*ret_count],
						  pair->chain[*ret_count], 0);
	return status;
}

static int copy_key(const struct pair *pair, gnutls_privkey_t *ret_key)
{
	int status = gnutls_privkey_init(ret_key);

	if (status < 0)
		return status;
	status = gnutls_privkey_import_x509(*ret_key, pair->key, GNUTLS_PRIVKEY_IMPORT_COPY);
	if (status < 0)
		gnutls_privkey_deinit(*ret_key);
	return status;
}

/* What is copied is GnuTLS's to free, which a flag tells it. */
static int copy_shown(struct httpd_tls *tls, gnutls_pcert_st **ret_chain, unsigned *ret_count,
		      gnutls_privkey_t *ret_key)
{
	unsigned count = 0;

	pthread_mutex_lock(&tls->lock);
	gnutls_pcert_st *chain = gnutls_malloc(tls->shown.count * sizeof *chain);
	int status = chain ? copy_chain(&tls->shown, chain, &count) : GNUTLS_E_MEMORY_ERROR;
	if (status >= 0)
		status = copy_key(&tls->shown, ret_key);
	pthread_mutex_unlock(&tls->lock);
	if (status >= 0) {
		*ret_chain = chain;
		*ret_count = count;
		return 0;
	}
	while (count > 0)
		gnutls_pcert_deinit(&chain[--count]);
	gnutls_free(chain);
	return status;
}

/* gnutls_certificate_retrieve_function3. */
static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *wanted,
		    gnutls_pcert_st **ret_chain, unsigned *ret_count,
		    gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
		    gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
	(void)wanted;
	*ret_ocsp = NULL;
	*ret_ocsp_count = 0;
	*ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return copy_shown(gnutls_session_get_ptr(session), ret_chain, ret_count, ret_key);
}

struct MHD_OptionItem httpd_tls_option(void)
{
	return (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0,
					(void *)(intptr_t)retrieve };
}

void httpd_tls_attach(struct httpd_tls *tls, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	/* The library keeps its connection there, for pre-shared keys only: we have none. */
	if (info)
		gnutls_session_set_ptr(info->tls_session, tls);
}
