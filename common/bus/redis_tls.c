/* TLS below hiredis. Its own set-up neither compares the host's name nor says why a certificate
 * was refused, so the session is made here and only handed to it. */
#include "bus/redis_tls.h"

#include <errno.h>

#ifdef TOCSIN_REDIS_TLS

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file_stamp.h"

enum { STAMPS = 4 };

/* With a system's 144 authorities a context is 0.8 MiB: all connections share the one that was
 * made of these files, until one of them is another. */
static struct {
	pthread_mutex_t lock;
	SSL_CTX *context;
	struct file_stamp stamps[STAMPS];
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool redis_tls_available(void)
{
	return true;
}

/* What OpenSSL's error means, which is then forgotten; NULL when there is none. */
static const char *reason_of(unsigned long code)
{
	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return "Server closed the connection"; /* hiredis's words, without TLS */
	return ERR_reason_error_string(code);
}

/* Why one of our own calls failed: the cause is the oldest error. */
static const char *cause(void)
{
	const char *reason = reason_of(ERR_peek_error());
	return reason ? reason : "unknown error";
}

static const char *ca_name(const struct redis_settings *settings)
{
	return settings->ca_file ? settings->ca_file : "the system's authorities";
}

static bool load_authorities(SSL_CTX *context, const struct redis_settings *settings,
			     struct err *err)
{
	int loaded = settings->ca_file
			 ? SSL_CTX_load_verify_locations(context, settings->ca_file, NULL)
			 : SSL_CTX_set_default_verify_paths(context);
	return loaded == 1 ||
	       err_set(err, ERR_TRANSIENT,
		       "TOCSIN_REDIS_CA_FILE: cannot read certificates from %s: %s",
		       ca_name(settings), cause());
}

static bool load_certificate(SSL_CTX *context, const struct redis_settings *settings,
			     struct err *err)
{
	const char *certificate = settings->certificate_file;
	const char *key = settings->key_file;
	if (!certificate)
		return true;
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return err_set(err, ERR_TRANSIENT,
			       "TOCSIN_REDIS_CERTIFICATE_FILE: cannot use %s: %s", certificate,
			       cause());
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return err_set(err, ERR_TRANSIENT, "TOCSIN_REDIS_KEY_FILE: cannot use %s: %s",
			       key, cause());
	return true;
}

static SSL_CTX *context_new(const struct redis_settings *settings, struct err *err)
{
	ERR_clear_error();
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
		err_fill(err, ERR_TRANSIENT, "TLS: %s", cause());
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	/* Most connections wait: no 32 KiB for each meanwhile. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (load_authorities(context, settings, err) &&
	    load_certificate(context, settings, err))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static const char *system_path(const char *variable, const char *usual)
{
	const char *chosen = secure_getenv(variable);
	return chosen ? chosen : usual;
}

/* None named is as good as any. */
static bool stamp_named(const char *path, struct file_stamp *ret_stamp)
{
	return !path || file_stamp_take(path, ret_stamp);
}

/* False when a file of the settings is missing: then nothing is shared. */
static bool stamp_files(const struct redis_settings *settings, struct file_stamp *ret_stamps)
{
	if (!settings->ca_file) { /* a file, a folder or both of the system */
		file_stamp_take(
		    system_path(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
		    &ret_stamps[2]);
		file_stamp_take(
		    system_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()),
		    &ret_stamps[3]);
	}
	return stamp_named(settings->certificate_file, &ret_stamps[0]) &&
	       stamp_named(settings->key_file, &ret_stamps[1]) &&
	       stamp_named(settings->ca_file, &ret_stamps[2]);
}

/* A reference of the caller's own. */
static SSL_CTX *context_get(const struct redis_settings *settings, struct err *err)
{
	struct file_stamp stamps[STAMPS] = { 0 };
	pthread_mutex_lock(&shared.lock);
	bool same = stamp_files(settings, stamps) && shared.context;
	for (int i = 0; i < STAMPS && same; i++)
		same = file_stamp_equal(&stamps[i], &shared.stamps[i]);
	if (!same) {
		SSL_CTX_free(shared.context);
		shared.context = context_new(settings, err);
		memcpy(shared.stamps, stamps, sizeof(stamps));
	}
	SSL_CTX *context = shared.context;
	if (context)
		SSL_CTX_up_ref(context);
	pthread_mutex_unlock(&shared.lock);
	return context;
}

bool redis_tls_check(const struct redis_settings *settings, struct err *err)
{
	SSL_CTX *context = context_get(settings, err);
	bool usable = context != NULL;
	SSL_CTX_free(context);
	return usable;
}

static SSL *session_new(const char *host, const struct redis_settings *settings,
			struct err *err)
{
	SSL_CTX *context = context_get(settings, err);
	if (!context)
		return NULL;
	SSL *session = SSL_new(context);
	SSL_CTX_free(context); /* the session holds its own reference */
	bool address =
	    session && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1;
	if (session && (address || (SSL_set1_host(session, host) == 1 &&
				    SSL_set_tlsext_host_name(session, host) == 1)))
		return session;
	SSL_free(session);
	err_fill(err, ERR_TRANSIENT, "TLS: %s", cause());
	return NULL;
}

/* What is wrong with the server's certificate, and what helps. */
static bool refuse_certificate(long verdict, const char *host,
			       const struct redis_settings *settings, struct err *err)
{
	switch (verdict) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return err_set(err, ERR_TRANSIENT,
			       "TLS: the server's certificate has expired; renew it");
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return err_set(err, ERR_TRANSIENT,
			       "TLS: the server's certificate is not valid yet; compare the "
			       "clocks");
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return err_set(err, ERR_TRANSIENT,
			       "TLS: the server's certificate is not for %s; give "
			       "TOCSIN_REDIS_URL a name that it has",
			       host);
	default:
		return err_set(err, ERR_TRANSIENT,
			       "TLS: the server's certificate is not signed by %s "
			       "(TOCSIN_REDIS_CA_FILE): %s",
			       ca_name(settings), X509_verify_cert_error_string(verdict));
	}
}

/* error: errno of the handshake, 0 when the system saw none. */
static bool refuse_handshake(int error, struct err *err)
{
	switch (ERR_GET_REASON(ERR_peek_last_error())) {
	case 0:
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		error = ECONNRESET;
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return err_set(err, ERR_TRANSIENT, "TLS: the server has no TLS 1.2 or later");
	default:
		return err_set(err, ERR_TRANSIENT, "TLS: %s", cause());
	}
	if (error == EAGAIN || error == EWOULDBLOCK)
		return err_set(err, ERR_TRANSIENT,
			       "TLS: no answer in time; does the server speak TLS on this "
			       "port?");
	return err_set(err, ERR_TRANSIENT,
		       "TLS: the server does not speak it on this port, or is just ending");
}

static int64_t certificate_until(SSL *session)
{
	struct tm end = { 0 };
	X509 *certificate = SSL_get_peer_certificate(session);
	bool known = certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1;
	X509_free(certificate);
	return known ? (int64_t)timegm(&end) : 0;
}

bool redis_tls_start(redisContext *context, const char *host,
		     const struct redis_settings *settings, int64_t *ret_until_s,
		     struct err *err)
{
	SSL *session = session_new(host, settings, err);
	if (!session)
		return false;
	errno = 0;
	if (redisInitiateSSL(context, session) == REDIS_OK) {
		*ret_until_s = certificate_until(session);
		return true;
	}
	int error = errno;
	long verdict = SSL_get_verify_result(session);
	SSL_free(session); /* still ours */
	bool refused = verdict == X509_V_OK ? refuse_handshake(error, err)
					    : refuse_certificate(verdict, host, settings, err);
	ERR_clear_error();
	return refused;
}

const char *redis_tls_reason(const redisContext *context)
{
	return context->privctx ? reason_of(ERR_peek_last_error()) : NULL;
}

#else

bool redis_tls_available(void)
{
	return false;
}

bool redis_tls_check(const struct redis_settings *settings, struct err *err)
{
	(void)settings;
	(void)err;
	return false;
}

bool redis_tls_start(redisContext *context, const char *host,
		     const struct redis_settings *settings, int64_t *ret_until_s,
		     struct err *err)
{
	(void)context;
	(void)settings;
	(void)ret_until_s;
	return err_set(err, ERR_PERMANENT, "this build has no TLS to Redis at %s", host);
}

const char *redis_tls_reason(const redisContext *context)
{
	(void)context;
	return NULL;
}

#endif
