#include "wire/xml.h"

#include <expat.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define PATH_TEXT_MAX ((size_t)4096)
#define DOCUMENT_MAX ((size_t)64 << 20)

struct xml_reading {
    XML_Parser parser;
    xml_handler handler;
    void *context;
    struct buf path, text;
    size_t path_marks[XML_DEPTH_MAX], text_marks[XML_DEPTH_MAX]; /* lengths before each open element */
    int depth;
    const char *fault; /* why we stopped; NULL: we did not */
};

static void xml_stop(struct xml_reading *reading, const char *fault)
{
    if (!reading->fault)
        reading->fault = fault;
    XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL xml_begin(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct xml_reading *reading = context;
    const char *colon = strrchr(name, ':');

    (void)attributes;
    if (reading->depth == XML_DEPTH_MAX) {
        xml_stop(reading, "elements are nested too deeply");
        return;
    }
    reading->path_marks[reading->depth] = reading->path.len;
    reading->text_marks[reading->depth++] = reading->text.len;
    if (buf_append_char(&reading->path, '/') < 0 || buf_append_text(&reading->path, colon ? colon + 1 : name) < 0)
        xml_stop(reading, "a name is too long");
}

static void xml_truncate(struct buf *buf, size_t length)
{
    buf->len = length;
    if (buf->data)
        buf->data[length] = '\0';
}

static void XMLCALL xml_end(void *context, const XML_Char *name)
{
    struct xml_reading *reading = context;

    (void)name;
    if (reading->fault)
        return;
    reading->depth--;

    const size_t mark = reading->text_marks[reading->depth];

    reading->handler(reading->context, buf_text(&reading->path), buf_text(&reading->text) + mark);
    xml_truncate(&reading->text, mark);
    xml_truncate(&reading->path, reading->path_marks[reading->depth]);
}

static void XMLCALL xml_characters(void *context, const XML_Char *text, int length)
{
    struct xml_reading *reading = context;

    if (!reading->fault && buf_append(&reading->text, text, (size_t)length) < 0)
        xml_stop(reading, "a text is too long");
}

static void XMLCALL xml_document_type(void *context, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id, int internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)internal;
    xml_stop(context, "it has a document type");
}

int xml_read(const char *bytes, size_t length, xml_handler handler, void *context, struct error *err)
{
    struct xml_reading reading = {.parser = XML_ParserCreate(NULL), .handler = handler, .context = context,
                                  .path = BUF_INIT(PATH_TEXT_MAX), .text = BUF_INIT(XML_TEXT_MAX)};

    if (!reading.parser)
        abort();
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, xml_begin, xml_end);
    XML_SetCharacterDataHandler(reading.parser, xml_characters);
    XML_SetStartDoctypeDeclHandler(reading.parser, xml_document_type);

    const bool fits = length <= DOCUMENT_MAX;
    const bool whole = fits && XML_Parse(reading.parser, bytes, (int)length, XML_TRUE) == XML_STATUS_OK;
    const char *fault = !fits ? "it is too long" : reading.fault ? reading.fault : XML_ErrorString(XML_GetErrorCode(reading.parser));

    if (reading.text.data)
        OPENSSL_cleanse(reading.text.data, reading.text.cap);
    buf_free(&reading.text);
    buf_free(&reading.path);
    if (!whole)
        error_set(err, ERROR_TARGET, "no XML that we can read: %s", fault);
    XML_ParserFree(reading.parser);
    return whole ? 0 : -1;
}
