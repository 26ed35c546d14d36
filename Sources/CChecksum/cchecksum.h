#pragma once
// The CRC-32 of IEEE 802.3 by carry-less multiplication, for processors that have it: V. Gopal and others, "Fast CRC
// Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, in the form for reflected bits. The
// constants are powers of x modulo the polynomial, which that paper derives.
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

// Whether `cchecksum_fold` may be called here.
static inline int cchecksum_can_fold(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL) && (c & bit_SSE4_1);
}

#define CCHECKSUM_TARGET __attribute__((target("pclmul,sse4.1")))

// Moves what is in `high` ahead by as many bits as the constants stand for, onto `low`.
CCHECKSUM_TARGET static inline __m128i cchecksum_step(__m128i high, __m128i constants, __m128i low) {
  __m128i first = _mm_clmulepi64_si128(high, constants, 0x00);
  __m128i second = _mm_clmulepi64_si128(high, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, second), low);
}

CCHECKSUM_TARGET static inline __m128i cchecksum_load(const uint8_t *bytes) {
  return _mm_loadu_si128((const __m128i *)bytes);
}

// Takes in `count` bytes, a multiple of 16 and at least 64. `value` is the checksum so far, its bits turned over.
CCHECKSUM_TARGET static inline uint32_t cchecksum_fold(uint32_t value, const uint8_t *bytes, size_t count) {
  const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
  const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const __m128i by_32 = _mm_set_epi64x(0, 0x163cd6124);
  const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
  const __m128i low_half = _mm_set_epi32(0, 0, 0, -1);
  __m128i lane[4];
  for (int i = 0; i < 4; i++) lane[i] = cchecksum_load(bytes + 16 * i);
  lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)value));
  size_t at = 64;
  for (; at + 64 <= count; at += 64)
    for (int i = 0; i < 4; i++) lane[i] = cchecksum_step(lane[i], by_512, cchecksum_load(bytes + at + 16 * i));
  __m128i sum = lane[0];
  for (int i = 1; i < 4; i++) sum = cchecksum_step(sum, by_128, lane[i]);
  for (; at + 16 <= count; at += 16) sum = cchecksum_step(sum, by_128, cchecksum_load(bytes + at));
  // From 128 bits to 64, and to 32 with as many zeros after them.
  sum = _mm_xor_si128(_mm_srli_si128(sum, 8), _mm_clmulepi64_si128(sum, by_128, 0x10));
  sum = _mm_xor_si128(_mm_srli_si128(sum, 4), _mm_clmulepi64_si128(_mm_and_si128(sum, low_half), by_32, 0x00));
  // Barrett's reduction: the quotient by a multiplication with the inverse, and what that leaves.
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, low_half), barrett, 0x10);
  __m128i product = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_half), barrett, 0x00);
  return (uint32_t)_mm_extract_epi32(_mm_xor_si128(sum, product), 1);
}

#else
static inline int cchecksum_can_fold(void) { return 0; }
static inline uint32_t cchecksum_fold(uint32_t value, const uint8_t *bytes, size_t count) { return value; }
#endif
