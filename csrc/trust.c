/* trust.c -- which certificate authorities to trust, and where they lie.
 *
 * libcurl with Debian's defaults parses the whole bundle (17 ms) for every new
 * connection.  A directory hashed by subject costs nothing at start and about one
 * file a connection, but it may hold more than the bundle: Debian's ssl-cert links
 * its self-signed "snakeoil" there.  So the directory is taken only when the set of
 * its certificates is the bundle's set.  That comparison reads the files and hashes
 * the text between the BEGIN and END lines; it decodes nothing.
 *
 * Owns nothing after it returns.  Knows nothing of libcurl. */
#define _POSIX_C_SOURCE 200809L

#include "trust.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT (16 * 1024 * 1024)   /* a bundle is 200 KiB; a larger file is something else */
#define CHUNK      (16 * 1024)          /* room for the longest certificate; a file of the directory has 2 KiB */

static const char begin_any[] = "-----BEGIN ";
static const char begin_line[] = "-----BEGIN CERTIFICATE-----";
static const char end_line[] = "-----END CERTIFICATE-----";

/* A growing set of certificate fingerprints. */
struct prints {
    uint64_t *at;
    size_t count;
    size_t cap;
};

static int prints_add(struct prints *p, uint64_t print)
{
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? 256 : p->cap * 2;
        uint64_t *grown = realloc(p->at, cap * sizeof(*grown));

        if (grown == NULL)
            return CE_ENOMEM;
        p->at = grown;
        p->cap = cap;
    }
    p->at[p->count++] = print;
    return CE_OK;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void prints_sort(struct prints *p)
{
    size_t i;
    size_t kept = 0;

    if (p->count == 0)
        return;
    qsort(p->at, p->count, sizeof(*p->at), by_value);
    for (i = 1; i < p->count; i++)
        if (p->at[i] != p->at[kept])
            p->at[++kept] = p->at[i];
    p->count = kept + 1;
}

static uint64_t mixed(uint64_t print, uint64_t word)
{
    print = (print ^ word) * 1099511628211u;
    return print ^ (print >> 32);
}

/* A fingerprint of 64 bits: quick, and no defence against an attacker who writes /etc/ssl,
 * who has won anyway.  Four at a time, of every fourth word each, since one alone waits for
 * its own multiplication.  A line broken elsewhere gives another print; then the sets differ
 * and the bundle is taken, which is safe. */
static uint64_t print_of(const char *text, size_t n)
{
    uint64_t prints[4] = { 14695981039346656037u ^ n, 1, 2, 3 };
    uint64_t words[4];

    for (; n >= sizeof(words); n -= sizeof(words), text += sizeof(words)) {
        memcpy(words, text, sizeof(words));
        prints[0] = mixed(prints[0], words[0]);
        prints[1] = mixed(prints[1], words[1]);
        prints[2] = mixed(prints[2], words[2]);
        prints[3] = mixed(prints[3], words[3]);
    }
    memset(words, 0, sizeof(words));
    memcpy(words, text, n);
    for (n = 0; n < 4; n++)
        prints[0] = mixed(mixed(prints[0], words[n]), prints[n]);
    return prints[0] ^ (prints[0] >> 29);
}

/* Adds the print of every certificate that is whole, and moves *at to where the text has to
 * go on: behind the last, or to a BEGIN line.  CE_EINVAL for a text that is no PEM, or
 * has something else than certificates of the usual kind: OpenSSL might take it for one. */
static int add_whole(struct prints *prints, const char **at, const char *end)
{
    const char *from;

    while ((from = memchr(*at, '-', (size_t)(end - *at))) != NULL) {
        size_t left = (size_t)(end - from);
        const char *body;
        const char *to;

        *at = from + 1;
        if (memcmp(from, begin_any, left < sizeof(begin_any) - 1 ? left : sizeof(begin_any) - 1) != 0)
            continue;
        *at = from;
        if (left < sizeof(begin_line) - 1)
            return CE_OK;
        if (memcmp(from, begin_line, sizeof(begin_line) - 1) != 0)
            return CE_EINVAL;
        body = from + sizeof(begin_line) - 1;
        to = memchr(body, '-', (size_t)(end - body));   /* base64 has none */
        if (to == NULL || (size_t)(end - to) < sizeof(end_line) - 1)
            return CE_OK;
        if (memcmp(to, end_line, sizeof(end_line) - 1) != 0)
            return CE_EINVAL;
        if (prints_add(prints, print_of(body, (size_t)(to - body))) != CE_OK)
            return CE_ENOMEM;
        *at = to + sizeof(end_line) - 1;
    }
    *at = end;
    return CE_OK;
}

/* add_whole() over what is left of a file, a part at a time: a whole bundle in memory
 * would cost more than its comparison, in pages that the process has never touched. */
static int add_open_file(struct prints *prints, int fd, size_t size)
{
    char text[CHUNK];
    size_t have = 0;   /* of a certificate that began in the last part */

    while (size != 0) {
        ssize_t n = read(fd, text + have, sizeof(text) - have);
        const char *at = text;
        int rc;

        if (n <= 0)
            return CE_ESYSTEM;   /* also for lack of room: no certificate is that long */
        have += (size_t)n;
        size -= (size_t)n < size ? (size_t)n : size;
        rc = add_whole(prints, &at, text + have);
        if (rc != CE_OK)
            return rc;
        have -= (size_t)(at - text);
        memmove(text, at, have);
    }
    return have < sizeof(begin_any) - 1 ? CE_OK : CE_EINVAL;   /* or it is cut off */
}

/* Adds the print of every certificate of a PEM file.  CE_EINVAL for one that has none. */
static int add_file(struct prints *prints, int at, const char *name)
{
    struct stat st;
    size_t before = prints->count;
    int rc = CE_ESYSTEM;
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return CE_ESYSTEM;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT)
        rc = add_open_file(prints, fd, (size_t)st.st_size);
    close(fd);
    return rc == CE_OK && prints->count == before ? CE_EINVAL : rc;
}

/* "5ed36f99.0": what OpenSSL looks for. */
static int is_hash_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] != '\0' &&
           strspn(name + 9, "0123456789") == strlen(name + 9);
}

static int add_directory(struct prints *prints, const char *path)
{
    int rc = CE_OK;
    const struct dirent *entry;
    DIR *dir = opendir(path);

    if (dir == NULL)
        return CE_ESYSTEM;
    while (rc == CE_OK && (entry = readdir(dir)) != NULL)
        if (is_hash_name(entry->d_name))
            rc = add_file(prints, dirfd(dir), entry->d_name);
    closedir(dir);
    return rc;
}

static int same_certificates(const char *directory, const char *bundle)
{
    struct prints ours = { NULL, 0, 0 };
    struct prints theirs = { NULL, 0, 0 };
    int same = 0;

    if (add_file(&theirs, AT_FDCWD, bundle) == CE_OK && add_directory(&ours, directory) == CE_OK) {
        prints_sort(&ours);
        prints_sort(&theirs);
        same = ours.count == theirs.count && memcmp(ours.at, theirs.at, ours.count * sizeof(*ours.at)) == 0;
    }
    free(ours.at);
    free(theirs.at);
    return same;
}

static int take(struct ce_trust *trust, enum ce_trust_kind kind, const char *path, const char *why)
{
    if (strlen(path) >= sizeof(trust->path))
        return 0;
    trust->kind = kind;
    snprintf(trust->path, sizeof(trust->path), "%s", path);
    trust->why = why;
    return 1;
}

static int readable(const char *path)
{
    return path != NULL && path[0] != '\0' && access(path, R_OK) == 0;
}

void ce_trust_find(struct ce_trust *trust, const char *file, const char *dir, const char *bundle, const char *directory)
{
    /* Where other systems keep their bundle, for a libcurl that was built elsewhere. */
    static const char *const known[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                         "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
    size_t i;

    trust->kind = CE_TRUST_LIBCURL;
    trust->path[0] = '\0';
    trust->why = "no trust store was found; libcurl uses what it was built with";
    if (file != NULL && file[0] != '\0' && take(trust, CE_TRUST_FILE, file, "named by SSL_CERT_FILE"))
        return;
    if (dir != NULL && dir[0] != '\0' && take(trust, CE_TRUST_DIRECTORY, dir, "named by SSL_CERT_DIR"))
        return;
    for (i = 0; !readable(bundle) && i < sizeof(known) / sizeof(known[0]); i++)
        bundle = known[i];
    if (directory == NULL)
        directory = "/etc/ssl/certs";
    if (readable(bundle)) {
        if (same_certificates(directory, bundle) &&
            take(trust, CE_TRUST_DIRECTORY, directory, "the hashed directory holds exactly the bundle's certificates"))
            return;
        (void)take(trust, CE_TRUST_FILE, bundle, "the bundle; there is no hashed directory with exactly its certificates");
    }
}

