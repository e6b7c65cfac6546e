// SPDX-License-Identifier: Apache-2.0
// PNG through libpng, from and to memory. libpng leaves on errors by longjmp: everything that must
// survive it stands in struct job, which lives in the caller of the function with the setjmp.
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/strbuf.h"
#include "data/bytes.h"
#include "weir/formats.h"

enum { MAX_SIDE = 1 << 15 }; // 32768: a lying header cannot ask for more than 3 GB

struct job {
    const struct weir_log *log;
    const char *path;
    const unsigned char *bytes; // reading
    size_t size, at;
    struct weir_strbuf out; // writing
    png_structp png;
    png_infop info;
    png_bytep *rows;
    struct weir_image image;
    char message[128];
    enum weir_status status;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct job *job = png_get_error_ptr(png);
    snprintf(job->message, sizeof(job->message), "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    struct job *job = png_get_error_ptr(png);
    weir_logf(job->log, WEIR_LOG_DEBUG, "%s: %s", job->path, text);
}

static void on_read(png_structp png, png_bytep dst, size_t n)
{
    struct job *job = png_get_io_ptr(png);
    if (n > job->size - job->at)
        png_error(png, "the file ends too early");
    memcpy(dst, job->bytes + job->at, n);
    job->at += n;
}

static void on_write(png_structp png, png_bytep src, size_t n)
{
    struct job *job = png_get_io_ptr(png);
    weir_strbuf_write(&job->out, src, n);
    if (job->out.failed)
        png_error(png, "out of memory");
}

static void on_flush(png_structp png)
{
}

// Row pointers into image.pixels. False when out of memory.
static bool make_rows(struct job *job)
{
    size_t stride = (size_t)job->image.width * (size_t)job->image.channels;
    job->rows = malloc((size_t)job->image.height * sizeof(*job->rows));
    for (int y = 0; job->rows && y < job->image.height; y++)
        job->rows[y] = job->image.pixels + (size_t)y * stride;
    return job->rows;
}

// libpng makes a buffer of whatever length a chunk claims before it finds the file too short: check
// the lengths first.
static enum weir_status check_chunks(const struct weir_log *log, const char *path,
                                     const unsigned char *bytes, size_t size)
{
    size_t at = 8;
    while (size - at >= 12) {
        size_t length = weir_be32(bytes + at);
        if (length > size - at - 12)
            return weir_fail(log, WEIR_FORMAT,
                             "%s: damaged PNG: a chunk of %zu bytes at byte %zu, %zu are left",
                             path, length, at, size - at - 12);
        at += 12 + length;
        if (!memcmp(bytes + at - length - 8, "IEND", 4))
            return WEIR_OK;
    }
    return weir_fail(log, WEIR_FORMAT, "%s: damaged PNG: ends without an IEND chunk", path);
}

// Whatever the file holds becomes 8-bit grey or RGB.
static void set_conversions(struct job *job)
{
    png_structp png = job->png;
    int color = png_get_color_type(png, job->info);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, job->info) < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_bit_depth(png, job->info) == 16)
        png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, job->info);
}

static void read_pixels(struct job *job)
{
    if (setjmp(png_jmpbuf(job->png))) {
        job->status =
            weir_fail(job->log, WEIR_FORMAT, "%s: damaged PNG: %s", job->path, job->message);
        return;
    }
    png_set_read_fn(job->png, job, on_read);
    png_set_user_limits(job->png, MAX_SIDE, MAX_SIDE);
    png_read_info(job->png, job->info);
    set_conversions(job);
    job->image.width = (int)png_get_image_width(job->png, job->info);
    job->image.height = (int)png_get_image_height(job->png, job->info);
    job->image.channels = png_get_channels(job->png, job->info);
    size_t stride = (size_t)job->image.width * (size_t)job->image.channels;
    if ((job->image.channels != 1 && job->image.channels != 3) ||
        png_get_rowbytes(job->png, job->info) != stride)
        png_error(job->png, "unexpected row size");
    job->image.pixels = malloc(stride * (size_t)job->image.height);
    if (!job->image.pixels || !make_rows(job)) {
        job->status = weir_fail(job->log, WEIR_NOMEM, "out of memory: %d x %d pixels of '%s'",
                                job->image.width, job->image.height, job->path);
        return;
    }
    png_read_image(job->png, job->rows);
    png_read_end(job->png, NULL);
    job->status = WEIR_OK;
}

void weir_image_finish(struct weir_image *image)
{
    free(image->pixels);
    *image = (struct weir_image){0};
}

enum weir_status weir_png_read(const struct weir_log *log, const char *path,
                               struct weir_image *image)
{
    char *raw = NULL;
    struct job job = {.log = log, .path = path};
    enum weir_status status = weir_file_read(log, path, &raw, &job.size);
    if (status)
        return status;
    job.bytes = (const unsigned char *)raw;
    if (job.size < 8 || memcmp(raw, "\x89PNG\r\n\x1a\n", 8)) {
        free(raw);
        return weir_fail(log, WEIR_FORMAT, "%s: not a PNG file: no PNG signature at the start",
                         path);
    }
    status = check_chunks(log, path, job.bytes, job.size);
    if (status) {
        free(raw);
        return status;
    }
    job.status = WEIR_NOMEM;
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (job.info)
        read_pixels(&job);
    else
        weir_fail(log, WEIR_NOMEM, "out of memory: reading '%s'", path);
    png_destroy_read_struct(&job.png, &job.info, NULL);
    free(job.rows);
    free(raw);
    if (job.status)
        weir_image_finish(&job.image);
    else
        *image = job.image;
    return job.status;
}

static void write_pixels(struct job *job, const struct weir_file_text *texts, size_t n_texts)
{
    if (setjmp(png_jmpbuf(job->png))) {
        job->status =
            job->out.failed
                ? weir_fail(job->log, WEIR_NOMEM, "out of memory: writing a PNG")
                : weir_fail(job->log, WEIR_INVALID, "cannot make a PNG: %s", job->message);
        return;
    }
    png_set_write_fn(job->png, job, on_write, on_flush);
    png_set_compression_level(job->png, 6);
    png_set_IHDR(job->png, job->info, (png_uint_32)job->image.width, (png_uint_32)job->image.height,
                 8, job->image.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (size_t i = 0; i < n_texts; i++) {
        png_text text = {.compression = PNG_TEXT_COMPRESSION_NONE};
        text.key = (png_charp)texts[i].key;
        text.text = (png_charp)texts[i].value;
        png_set_text(job->png, job->info, &text, 1);
    }
    png_write_info(job->png, job->info);
    png_write_image(job->png, job->rows);
    png_write_end(job->png, NULL);
    job->status = WEIR_OK;
}

enum weir_status weir_png_encode(const struct weir_log *log, const struct weir_image *image,
                                 const struct weir_file_text *texts, size_t n_texts,
                                 unsigned char **data, size_t *size)
{
    enum weir_status status = WEIR_OK;
    weir_require(log, image->pixels && image->width > 0 && image->height > 0);
    weir_require(log, image->channels == 1 || image->channels == 3);
    struct job job = {.log = log, .path = "PNG", .image = *image, .status = WEIR_NOMEM};
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (job.info && make_rows(&job))
        write_pixels(&job, texts, n_texts);
    else
        weir_fail(log, WEIR_NOMEM, "out of memory: writing a PNG");
    png_destroy_write_struct(&job.png, &job.info);
    free(job.rows);
    if (job.status) {
        weir_strbuf_free(&job.out);
        return job.status;
    }
    *size = job.out.n;
    *data = (unsigned char *)weir_strbuf_finish(&job.out);
error:
    return status;
}

enum weir_status weir_png_write(const struct weir_log *log, const char *path,
                                const struct weir_image *image, const struct weir_file_text *texts,
                                size_t n_texts)
{
    unsigned char *data = NULL;
    size_t size = 0;
    enum weir_status status = weir_png_encode(log, image, texts, n_texts, &data, &size);
    if (!status)
        status = weir_file_write(log, path, data, size);
    free(data);
    return status;
}
