#include "plan/language.h"

#include <string.h>

static const char *const en_words[] = {
    " the", " and", " of", " to", " a", " in", " is", " for", " that", " it", " on", " with", " was", " as", " at", " by", " we", " you", " this",
    " are", " from", " be", " or", " have", " an", " not", " but", " they", " he", " she", " had", " all", " one", " his", " her", " our", " its",
    " will", " can", " so", " if", " more", " when", " no", " then", " what", " out", " up", " who", " some", " there", " than", " only", " into",
    " about", " after", " where", " each", " both", " two", " new", " good", " long", " small", " great", " high", " full", " time", " year",
    " day", " way", " man", " life", " hand", " part", " place", " case", " week", " work", " fact", " home", " water", " room", " story",
    " book", " word", " house", " side", " name", " line", " city", " night", " group", " child", " door", " road", " train", " ship", " bird",
    " tree", " leaf", " sand", " sea", " river", " hill", " field", " food", " bread", " salt", " table", " roof", " light", " fire", " wind",
    " rain", " sun", " star", " sky", " stone", " glass", " paper", " red", " green", " white", " sound", " music", " voice",
};
static const char *const en_firsts[] = {
    " The", " A", " In", " It", " This", " That", " We", " They", " He", " She", " When", " If", " But", " There", " For", " One",
};

static const char *const de_words[] = {
    " der", " die", " und", " in", " den", " von", " zu", " das", " mit", " sich", " des", " auf", " ist", " im", " dem", " nicht", " ein",
    " eine", " als", " auch", " es", " an", " er", " so", " dass", " kann", " sie", " nach", " wird", " bei", " einer", " um", " am", " sind",
    " noch", " wie", " einem", " einen", " aus", " hat", " nur", " wir", " war", " vor", " zur", " bis", " mehr", " durch", " man", " sein",
    " wurde", " wenn", " aber", " ihr", " oder", " zum", " haben", " doch", " schon", " ich", " was", " hier", " alle", " dann", " unter",
    " sehr", " selbst", " immer", " da", " wo", " ohne", " denn", " wieder", " kein", " seit", " gut", " neu", " weil", " etwas", " ganz",
    " heute", " gegen", " Jahr", " Zeit", " Tag", " Welt", " Stadt", " Land", " Haus", " Mann", " Frau", " Kind", " Leben", " Arbeit", " Wasser",
    " Hand", " Weg", " Teil", " Ende", " Seite", " Wort", " Buch", " Bild", " Geld", " Nacht", " Licht", " Feuer", " Wald", " Baum", " Berg",
    " See", " Stein", " Schiff", " Zug", " Brot", " Tisch", " Auge", " Kopf", " Herz", " Stimme", " Kunst", " Spiel", " Musik", " Name", " Frage",
    " Platz", " Punkt", " Liebe", " klein", " lang", " alt", " jung", " hoch", " weit", " rot", " blau",
};
static const char *const de_firsts[] = {
    " Die", " Der", " Das", " Es", " In", " Ein", " Eine", " Wir", " Sie", " Er", " Ich", " Wenn", " Aber", " Auch", " Man", " Hier",
};

static const char *const fr_words[] = {
    " de", " la", " le", " et", " les", " des", " en", " un", " du", " une", " que", " est", " pour", " qui", " dans", " par", " plus", " pas",
    " au", " sur", " ne", " se", " ce", " il", " sont", " avec", " son", " sa", " aux", " mais", " comme", " ou", " si", " leur", " elle",
    " nous", " tout", " cette", " on", " ont", " deux", " aussi", " fait", " sans", " ses", " entre", " peut", " dont", " bien", " temps",
    " encore", " sous", " autre", " ces", " elles", " avant", " depuis", " tous", " vie", " peu", " jour", " faire", " notre", " cela", " je",
    " mon", " vous", " fois", " trois", " jamais", " homme", " monde", " pays", " ville", " main", " point", " grand", " petit", " nuit", " eau",
    " terre", " mer", " ciel", " vent", " pluie", " rue", " porte", " mur", " pont", " route", " livre", " mot", " page", " nom", " mois",
    " heure", " soir", " feu", " bois", " pierre", " fleur", " arbre", " pain", " sel", " vin", " table", " lit", " sol", " toit", " corps",
    " coeur", " voix", " sang", " bras", " dos", " pied", " chat", " chien", " cheval", " bleu", " rouge", " vert", " noir", " blanc", " long",
    " haut", " bas", " rien",
};
static const char *const fr_firsts[] = {
    " Le", " La", " Les", " Il", " Elle", " Un", " Une", " Ce", " On", " Nous", " Mais", " Dans", " Pour", " En", " Si", " Comme",
};

static const char *const es_words[] = {
    " de", " la", " que", " el", " en", " y", " a", " los", " se", " del", " las", " un", " por", " con", " no", " una", " su", " para", " es",
    " al", " lo", " como", " o", " pero", " sus", " le", " ha", " me", " si", " sin", " sobre", " este", " ya", " entre", " cuando", " todo",
    " esta", " ser", " son", " dos", " era", " muy", " hasta", " desde", " mi", " porque", " solo", " han", " yo", " hay", " vez", " puede",
    " todos", " nos", " ni", " parte", " tiene", " uno", " donde", " bien", " tiempo", " mismo", " ese", " ahora", " cada", " vida", " otro",
    " tan", " eso", " casa", " mundo", " ante", " forma", " hombre", " agua", " tierra", " mar", " cielo", " sol", " luna", " noche", " luz",
    " fuego", " viento", " calle", " puerta", " muro", " puente", " camino", " libro", " palabra", " nombre", " mes", " hora", " mano", " cara",
    " ojo", " voz", " mesa", " cama", " pan", " sal", " vino", " flor", " piedra", " campo", " gato", " perro", " pez", " rojo", " azul",
    " verde", " negro", " blanco", " alto", " bajo", " grande", " largo", " nada",
};
static const char *const es_firsts[] = {
    " El", " La", " Los", " Las", " En", " Un", " Una", " Es", " No", " Se", " Y", " Pero", " Para", " Por", " Como", " Si",
};

/* Line by line, so that no token reaches over from one to the next. */
static const char *const zh_lines[] = {
    "\n今天天气很好。", "\n我们去了河边。", "\n他在家里看书。", "\n水是冷的。", "\n山很高。", "\n她会来的。", "\n火车已经到了。", "\n孩子们在唱歌。", "\n这条路很长。", "\n月亮出来了。", "\n风停了。", "\n我不知道。",
    "\n他们都在等。", "\n面包在桌上。", "\n城里人很多。", "\n雨下了一夜。", "\n门没有关。", "\n昨天很忙。", "\n树叶黄了。", "\n海是蓝色的。", "\n这里很安静。", "\n鱼在水里游。", "\n明天再说。", "\n他想了很久。",
    "\n书在哪里。", "\n灯还亮着。", "\n春天快到了。", "\n我喜欢音乐。", "\n船走得很慢。", "\n没有人说话。", "\n老师问了我。", "\n花都开了。", "\n狗跑得快。", "\n米饭做好了。", "\n他写了一封信。", "\n天黑了。",
    "\n我听见了。", "\n这是新的。", "\n大家都笑了。", "\n时间不多了。", "\n石头很重。", "\n他走了。", "\n雪很白。", "\n马在田里。", "\n窗外有鸟。", "\n今年会好的。", "\n话不多。", "\n你看。",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define WITH_SPACES(code) {.name = #code, .words = code##_words, .word_count = COUNT(code##_words), \
                           .firsts = code##_firsts, .first_count = COUNT(code##_firsts), .comma = ",", .stop = "."}
static const struct language languages[] = {
    WITH_SPACES(en),
    WITH_SPACES(de),
    WITH_SPACES(fr),
    WITH_SPACES(es),
    {.name = "zh", .words = zh_lines, .word_count = COUNT(zh_lines), .lines = true},
};

const struct language *language_find(const char *name)
{
    for (size_t k = 0; k < COUNT(languages); k++)
        if (strcmp(languages[k].name, name) == 0)
            return &languages[k];
    return NULL;
}
