/* trust.c -- which store is taken, with stores made up for it.  Only their texts are
 * compared, so these certificates need not be real. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/celements-trust-XXXXXX";
static char directory[128];
static char bundle[128];
static int files;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0)
        abort();
}

static void put(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    write_file(path, text);
}

static void fresh(void)
{
    files++;
    snprintf(directory, sizeof(directory), "%s/%d", base, files);
    snprintf(bundle, sizeof(bundle), "%s/%d.pem", base, files);
    if (mkdir(directory, 0700) != 0)
        abort();
}

#define PEM(text) "-----BEGIN CERTIFICATE-----\n" text "\n-----END CERTIFICATE-----\n"

static enum ce_trust_kind found(void)
{
    struct ce_trust trust;

    ce_trust_find(&trust, NULL, NULL, bundle, directory);
    CHECK(trust.why != NULL && strlen(trust.why) > 10);
    if (trust.kind == CE_TRUST_DIRECTORY)
        CHECK(strcmp(trust.path, directory) == 0);
    if (trust.kind == CE_TRUST_FILE)
        CHECK(strcmp(trust.path, bundle) == 0);
    return trust.kind;
}

/* What lies in the directory beside or in place of a and b: is it still taken? */
static enum ce_trust_kind with(const char *name, const char *text)
{
    fresh();
    write_file(bundle, "# two\n" PEM("AAAA\nBBBB") "a comment\n" PEM("CCCC"));
    put("0123abcd.0", PEM("AAAA\nBBBB"));
    put("89abcdef.0", PEM("CCCC"));
    if (name != NULL)
        put(name, text);
    return found();
}

static void sets(void)
{
    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    CHECK(with("89abcdef.0", PEM("CC\nCC")) == CE_TRUST_FILE);                              /* wrapped in another way: the safe side */
    CHECK(with("89abcdef.1", PEM("CCCC")) == CE_TRUST_DIRECTORY);                           /* twice */
    CHECK(with("89abcdef.1", PEM("CCCC") PEM("AAAA\nBBBB")) == CE_TRUST_DIRECTORY);
    CHECK(with("other.pem", PEM("DDDD")) == CE_TRUST_DIRECTORY);                            /* OpenSSL does not look there */
    CHECK(with("89abcdef.r0", "-----BEGIN X509 CRL-----\n") == CE_TRUST_DIRECTORY);
    CHECK(with("89ABCDEF.0", PEM("DDDD")) == CE_TRUST_DIRECTORY);
    CHECK(with("deadbeef.0", PEM("DDDD")) == CE_TRUST_FILE);                                /* one more: ssl-cert-snakeoil */
    CHECK(with("89abcdef.0", PEM("DDDD")) == CE_TRUST_FILE);                                /* another */
    CHECK(with("89abcdef.0", PEM("AAAA\nBBBB")) == CE_TRUST_FILE);                          /* one less */
    CHECK(with("89abcdef.0", PEM("CCCC") PEM("DDDD")) == CE_TRUST_FILE);
    CHECK(with("89abcdef.0", "no certificate") == CE_TRUST_FILE);
    CHECK(with("89abcdef.1", "no certificate") == CE_TRUST_FILE);
    CHECK(with("89abcdef.0", "") == CE_TRUST_FILE);
    CHECK(with("89abcdef.0", "-----BEGIN CERTIFICATE-----\nCCCC\n") == CE_TRUST_FILE);      /* cut off */
    CHECK(with("89abcdef.1", "-----BEGIN TRUSTED CERTIFICATE-----\nCCCC\n-----END TRUSTED CERTIFICATE-----\n") == CE_TRUST_FILE);
    CHECK(with("89abcdef.1", PEM("CCCC") "-----BEGIN X509 CERTIFICATE-----\nDDDD\n-----END X509 CERTIFICATE-----\n") == CE_TRUST_FILE);
    CHECK(with("89abcdef.1", PEM("CCCC") "a - dash -- and -----BEGINNING\n" PEM("CCCC")) == CE_TRUST_DIRECTORY);
}

/* A bundle is read in parts of 16 KiB: a certificate may lie across two of them. */
static void parts(void)
{
    static char text[3 * 16384 + 1024];
    size_t before;
    FILE *f;

    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    for (before = 16384 - 80; before <= 16384; before++) {
        f = fopen(bundle, "w");
        if (f == NULL)
            abort();
        fprintf(f, "%0*d\n%s%0*d-\n%s", (int)before, 0, PEM("AAAA\nBBBB"), 40000, 0, PEM("CCCC"));
        fclose(f);
        CHECK(found() == CE_TRUST_DIRECTORY);
        f = fopen(bundle, "a");
        if (f == NULL)
            abort();
        fprintf(f, "%0*d-\n-----BEGIN CERTIFICATE-----", (int)before, 0);
        fclose(f);
        CHECK(found() == CE_TRUST_FILE);   /* cut off */
    }
    memset(text, 'A', sizeof(text) - 1);
    memcpy(text, "-----BEGIN CERTIFICATE-----\n", 28);
    snprintf(text + sizeof(text) - 28, 28, "\n-----END CERTIFICATE-----\n");
    write_file(bundle, text);
    put("0123abcd.0", text);
    put("89abcdef.0", text);
    CHECK(found() == CE_TRUST_FILE);   /* no certificate is that long */
}

static void odd_places(void)
{
    char path[256];
    struct ce_trust trust;

    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    snprintf(path, sizeof(path), "%s/deadbeef.0", directory);
    CHECK(symlink("nowhere", path) == 0);
    CHECK(found() == CE_TRUST_FILE);   /* OpenSSL would not find it; the bundle is the safe choice */
    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    snprintf(path, sizeof(path), "%s/deadbeef.0", directory);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(found() == CE_TRUST_FILE);
    fresh();
    write_file(bundle, PEM("AAAA"));
    CHECK(found() == CE_TRUST_FILE);   /* an empty directory */
    CHECK(rmdir(directory) == 0);
    CHECK(found() == CE_TRUST_FILE);   /* none */
    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    write_file(bundle, PEM("CCCC") PEM("AAAA\nBBBB") PEM("CCCC"));   /* the bundle has one twice */
    CHECK(found() == CE_TRUST_DIRECTORY);
    write_file(bundle, PEM("CCCC") PEM("AAAA\nBBBB") PEM("DDDD"));   /* one more */
    CHECK(found() == CE_TRUST_FILE);
    fresh();
    write_file(bundle, "");
    put("0123abcd.0", PEM("AAAA"));
    CHECK(found() == CE_TRUST_FILE);
    write_file(bundle, PEM("AAAA") "-----BEGIN CERTIFICATE-----\n");
    CHECK(found() == CE_TRUST_FILE);
    /* No bundle where libcurl looks: another system's, or libcurl is left alone. */
    ce_trust_find(&trust, NULL, NULL, "/no/such/bundle", "/no/such/directory");
    CHECK(trust.kind == CE_TRUST_LIBCURL ? trust.path[0] == '\0' : access(trust.path, R_OK) == 0);
}

static void environment(void)
{
    struct ce_trust trust;
    char too_long[600];

    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    ce_trust_find(&trust, "/my/file", "/my/dir", bundle, directory);
    CHECK(trust.kind == CE_TRUST_FILE && strcmp(trust.path, "/my/file") == 0 && strstr(trust.why, "SSL_CERT_FILE") != NULL);
    ce_trust_find(&trust, "", "/my/dir", bundle, directory);
    CHECK(trust.kind == CE_TRUST_DIRECTORY && strcmp(trust.path, "/my/dir") == 0 && strstr(trust.why, "SSL_CERT_DIR") != NULL);
    ce_trust_find(&trust, "", "", bundle, directory);
    CHECK(trust.kind == CE_TRUST_DIRECTORY && strcmp(trust.path, directory) == 0);
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    ce_trust_find(&trust, too_long, NULL, bundle, directory);
    CHECK(strcmp(trust.path, too_long) != 0);
}

static void failing(void)
{
    long n;

    CHECK(with(NULL, NULL) == CE_TRUST_DIRECTORY);
    for (n = 1; n < 100; n++) {
        enum ce_trust_kind kind;
        int out_of_memory;

        alloc_fail_at(n);
        kind = found();
        out_of_memory = alloc_failed();
        alloc_fail_at(0);
        CHECK(kind == (out_of_memory ? CE_TRUST_FILE : CE_TRUST_DIRECTORY));
        CHECK(alloc_live() == 0);
        if (!out_of_memory)
            break;
    }
    CHECK(n > 2 && n < 100);
}

int main(void)
{
    char command[256];

    if (mkdtemp(base) == NULL)
        abort();
    sets();
    parts();
    odd_places();
    environment();
    failing();
    snprintf(command, sizeof(command), "rm -rf %s", base);
    CHECK(system(command) == 0);
    return check_done();
}
