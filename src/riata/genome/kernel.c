/* Exact sums over the two-bit genotypes of a .bed, straight from its bytes.
 *
 * A byte holds four people, person 4 b + s of a variant in bits 2 s and 2 s + 1 of its byte b. For tables that give
 * each code a value, and columns of digits,
 *
 *     out[t][v][k] = sum over people of table[t][code of the person in variant v] * digit[k][person],
 *
 * exactly, in int32. A tile is a few variants by at most four columns: its sums stay in registers, and its bytes, read
 * once from memory, stay in the nearest cache for further columns and tables. Nothing behind the last byte of the last
 * variant is read. No function of a library is called, so the file needs none. The same walk is compiled three times:
 * portable C, AVX2, and AVX-512 with VNNI; the caller asks for what the processor has.
 */
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum { PLAIN = 0, AVX2 = 1, AVX512 = 2 };

/* What is to be multiplied. */
typedef struct {
    const uint8_t *packed; /* variants, each `bytes` long, one after another */
    int64_t bytes;
    int64_t variants;
    const int8_t *digits; /* digit k of person 4 b + s at (4 k + s) wide + b; 0 where there is no person */
    int64_t wide;         /* at least `bytes`, in whole chunks of 64 */
    int64_t columns;
    const uint8_t *tables; /* the values, 0 to 4, of codes 00 (always 0), 01 (missing), 10 and 11; four bytes a table */
    int64_t count;         /* of tables */
    int32_t *out;          /* (count, variants, columns) */
} Task;

/* How far ahead memory is asked for, in bytes; without asking, a walk waited six times as long (measured). */
enum { AHEAD = 6000 };

/* Copy the bytes that are left into a chunk, with zeros behind them: digits are 0 there, so any value would do. */
INLINE void copy_rest(uint8_t *chunk, int64_t size, const uint8_t *from, int64_t left)
{
    for (int64_t i = 0; i < size; i++)
        chunk[i] = i < left ? from[i] : 0;
}

/* ---------------------------------------------------------------------------------------------------------------
 * Portable C. A code of two bits, high and low, has the value `low * one + high * two + low * high * both`: no look-up,
 * so that a compiler can do many people at once. */

INLINE void tile_plain(const Task *task, int64_t first, int rows, int64_t column, int columns, const uint8_t *table,
                       int32_t *out)
{
    const int8_t one = (int8_t)table[1], two = (int8_t)table[2], both = (int8_t)(table[3] - table[1] - table[2]);
    const int8_t *digits = task->digits + 4 * column * task->wide;
    const uint8_t *row = task->packed + first * task->bytes;
    int32_t sums[4] = {0};
    (void)rows; /* always one */
    for (int64_t b = 0; b < task->bytes; b += 64) {
        uint8_t rest[64];
        const uint8_t *chunk = row + b;
        if (task->bytes - b < 64) {
            copy_rest(rest, 64, chunk, task->bytes - b);
            chunk = rest;
        }
        for (int s = 0; s < 4; s++) {
            int8_t values[64];
            for (int i = 0; i < 64; i++) {
                const int8_t low = (chunk[i] >> 2 * s) & 1, high = (chunk[i] >> (2 * s + 1)) & 1;
                values[i] = (int8_t)(low * one + high * two + (low & high) * both);
            }
            for (int k = 0; k < columns; k++) {
                const int8_t *digit = digits + (4 * k + s) * task->wide + b;
                int32_t sum = 0;
                for (int i = 0; i < 64; i++)
                    sum += (int16_t)values[i] * (int16_t)digit[i];
                sums[k] += sum;
            }
        }
    }
    for (int k = 0; k < columns; k++)
        out[k] = sums[k];
}

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2")))
#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))

/* Values of the four bits of two people: of the first (place 0) or the second one, as a table for byte shuffles. */
INLINE __m128i pairs(const uint8_t *table, int place)
{
    uint8_t values[16];
    for (int bits = 0; bits < 16; bits++)
        values[bits] = table[(bits >> 2 * place) & 3];
    return _mm_loadu_si128((const __m128i *)values);
}

/* ---------------------------------------------------------------------------------------------------------------
 * AVX2: 128 people at a time. maddubs adds two products in int16: at most 2 * 4 * 128; four of them make 4096, far
 * below 32767, and are then widened. */

WITH_AVX2 INLINE int32_t total_avx2(__m256i sums)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return _mm_cvtsi128_si32(four);
}

WITH_AVX2 INLINE void tile_avx2(const Task *task, int64_t first, int rows, int64_t column, int columns,
                                const uint8_t *table, int32_t *out)
{
    const __m256i look[2] = {_mm256_broadcastsi128_si256(pairs(table, 0)),
                             _mm256_broadcastsi128_si256(pairs(table, 1))};
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const int8_t *digits = task->digits + 4 * column * task->wide;
    const uint8_t *row = task->packed + first * task->bytes;
    __m256i sums[4];
    (void)rows; /* always one */
    for (int k = 0; k < columns; k++)
        sums[k] = _mm256_setzero_si256();
    for (int64_t b = 0; b < task->bytes; b += 32) {
        uint8_t rest[32];
        const uint8_t *from = row + b;
        if (task->bytes - b < 32) {
            copy_rest(rest, 32, from, task->bytes - b);
            from = rest;
        }
        __builtin_prefetch(row + b + AHEAD); /* never a fault, wherever it points */
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)from);
        const __m256i half[2] = {_mm256_and_si256(bytes, nibble),
                                 _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)};
        __m256i values[4];
        for (int s = 0; s < 4; s++)
            values[s] = _mm256_shuffle_epi8(look[s % 2], half[s / 2]);
        for (int k = 0; k < columns; k++) {
            __m256i narrow = _mm256_setzero_si256();
            for (int s = 0; s < 4; s++) {
                const int8_t *digit = digits + (4 * k + s) * task->wide + b;
                const __m256i right = _mm256_loadu_si256((const __m256i *)digit);
                narrow = _mm256_add_epi16(narrow, _mm256_maddubs_epi16(values[s], right));
            }
            sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(narrow, ones));
        }
    }
    for (int k = 0; k < columns; k++)
        out[k] = total_avx2(sums[k]);
}

/* ---------------------------------------------------------------------------------------------------------------
 * AVX-512 with VNNI: 256 people of each row at a time. dpbusd adds four products of an unsigned and a signed byte to an
 * int32. The last bytes of a row are loaded under a mask. */

WITH_AVX512 INLINE void tile_avx512(const Task *task, int64_t first, int rows, int64_t column, int columns,
                                    const uint8_t *table, int32_t *out)
{
    const __m512i look[2] = {_mm512_broadcast_i32x4(pairs(table, 0)), _mm512_broadcast_i32x4(pairs(table, 1))};
    const __m512i nibble = _mm512_set1_epi8(15);
    const int8_t *digits = task->digits + 4 * column * task->wide;
    const uint8_t *row = task->packed + first * task->bytes;
    __m512i sums[4][4];
    for (int r = 0; r < rows; r++)
        for (int k = 0; k < columns; k++)
            sums[r][k] = _mm512_setzero_si512();
    for (int64_t b = 0; b < task->bytes; b += 64) {
        const int64_t left = task->bytes - b;
        const __mmask64 inside = left >= 64 ? ~0ULL : (1ULL << left) - 1;
        __m512i bytes[4];
        for (int r = 0; r < rows; r++) {
            bytes[r] = _mm512_maskz_loadu_epi8(inside, row + r * task->bytes + b);
            __builtin_prefetch(row + r * task->bytes + b + AHEAD);
        }
        for (int s = 0; s < 4; s++) {
            __m512i values[4];
            for (int r = 0; r < rows; r++) {
                const __m512i half = _mm512_and_si512(s < 2 ? bytes[r] : _mm512_srli_epi16(bytes[r], 4), nibble);
                values[r] = _mm512_shuffle_epi8(look[s % 2], half);
            }
            for (int k = 0; k < columns; k++) {
                const __m512i right = _mm512_loadu_si512(digits + (4 * k + s) * task->wide + b);
                for (int r = 0; r < rows; r++)
                    sums[r][k] = _mm512_dpbusd_epi32(sums[r][k], values[r], right);
            }
        }
    }
    for (int r = 0; r < rows; r++)
        for (int k = 0; k < columns; k++)
            out[r * task->columns + k] = _mm512_reduce_add_epi32(sums[r][k]);
}
#endif

/* ---------------------------------------------------------------------------------------------------------------
 * The walk over tiles, once for each version: numbers of rows and columns are constants in each call of a tile, so
 * that the compiler can keep its sums in registers. */

#define TILE(version, height, width)                                                        \
    tile_##version(task, first, height, column, width, task->tables + 4 * t,                \
                   task->out + (t * task->variants + first) * task->columns + column)

#define TILES(version, height)                                                              \
    for (int64_t t = 0; t < task->count; t++)                                               \
        for (int64_t column = 0; column < task->columns; column += 4)                       \
            switch (task->columns - column) {                                               \
            case 1: TILE(version, height, 1); break;                                        \
            case 2: TILE(version, height, 2); break;                                        \
            case 3: TILE(version, height, 3); break;                                        \
            default: TILE(version, height, 4);                                              \
            }

#define WALK(version, height)                                                               \
    static void walk_##version(const Task *task)                                            \
    {                                                                                       \
        int64_t first = 0;                                                                  \
        for (; first + height <= task->variants; first += height)                           \
            TILES(version, height)                                                          \
        for (; first < task->variants; first++)                                             \
            TILES(version, 1)                                                               \
    }

WALK(plain, 1)
#if defined(__x86_64__)
WITH_AVX2 WALK(avx2, 1)
WITH_AVX512 WALK(avx512, 4)
#endif

/* Do a task in a version; return 0, or 1 where this library does not have the version. */
__attribute__((visibility("default"))) int riata_sums(int version, const Task *task)
{
    switch (version) {
    case PLAIN: walk_plain(task); return 0;
#if defined(__x86_64__)
    case AVX2: walk_avx2(task); return 0;
    case AVX512: walk_avx512(task); return 0;
#endif
    default: return 1;
    }
}
