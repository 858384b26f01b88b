// SPDX-License-Identifier: MIT
// hash: a fast 128-bit digest of rows, for entity tags, and of ids, for hash tables. Not
// cryptographic: whoever can write colliding rows can write any state anyway. It multiplies and
// folds like wyhash.
#ifndef BKFLOW_BASE_HASH_H
#define BKFLOW_BASE_HASH_H

#include "base/base.h"

// Two lanes that process the same words with different constants.
struct hash {
    uint64_t a;
    uint64_t b;
};

#define HASH_KEY_A UINT64_C(0xa0761d6478bd642f)
#define HASH_KEY_B UINT64_C(0xe7037ed1a0b428db)

// The same as hash_fold for a compiler without a type of 128 bits, as on 32-bit systems.
static inline uint64_t hash_fold_by_halves(uint64_t x, uint64_t y)
{
    const uint64_t x_low = (uint32_t)x;
    const uint64_t x_high = x >> 32;
    const uint64_t y_low = (uint32_t)y;
    const uint64_t y_high = y >> 32;
    const uint64_t middle = x_high * y_low + (x_low * y_low >> 32); // never overflows
    const uint64_t other_middle = x_low * y_high + (uint32_t)middle;
    const uint64_t high = x_high * y_high + (middle >> 32) + (other_middle >> 32);
    return x * y ^ high;
}

// The two halves of the product of 128 bits, one XORed with the other.
static inline uint64_t hash_fold(uint64_t x, uint64_t y)
{
#ifdef __SIZEOF_INT128__
    const unsigned __int128 product = (unsigned __int128)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    return hash_fold_by_halves(x, y);
#endif
}

// Starts a hash. Any seed will do because it is folded. Unfolded, a small seed K would make texts
// with two equal first words, such as those of 4 bytes, collide with texts that differ from them by
// K.
static inline struct hash hash_start(uint64_t seed)
{
    return (struct hash){hash_fold(seed ^ HASH_KEY_A, HASH_KEY_B),
                         hash_fold(~seed ^ HASH_KEY_B, HASH_KEY_A)};
}

// Neither key may be passed as a word: a factor of zero would erase a lane. Data contain a key only
// by chance, with a probability of 2^-64.
static inline void hash_words(struct hash *hash, uint64_t first, uint64_t second)
{
    hash->a = hash_fold(hash->a ^ first, second ^ HASH_KEY_A);
    hash->b = hash_fold(hash->b ^ second, first ^ HASH_KEY_B);
}

static inline uint64_t hash_read_8(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t hash_read_4(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

// Hashes LEN bytes, at most 16, as two words. The reads overlap, which avoids a branch per byte.
static inline void hash_short(struct hash *hash, const char *bytes, size_t len)
{
    if (len >= 8) {
        hash_words(hash, hash_read_8(bytes), hash_read_8(bytes + len - 8));
    } else if (len >= 4) {
        hash_words(hash, hash_read_4(bytes), hash_read_4(bytes + len - 4));
    } else if (len > 0) {
        const unsigned char *const b = (const unsigned char *)bytes;
        hash_words(hash, (uint64_t)b[0] << 16 | (uint64_t)b[len / 2] << 8 | b[len - 1], 0);
    }
}

// Hashes a text. The length is hashed too, so ("ab", "c") differs from ("a", "bc"). Always inline:
// a caller that uses only one lane pays for only one.
static inline __attribute__((always_inline)) void hash_text(struct hash *hash, const char *bytes,
                                                            size_t len)
{
    const char *at = bytes;
    size_t left = len;
    while (left > 16) {
        hash_words(hash, hash_read_8(at), hash_read_8(at + 8));
        at += 16;
        left -= 16;
    }
    if (len > 16) {
        hash_words(hash, hash_read_8(bytes + len - 16), hash_read_8(bytes + len - 8) ^ len);
    } else {
        hash_short(hash, at, left);
        hash_words(hash, len, 0);
    }
}

#endif
