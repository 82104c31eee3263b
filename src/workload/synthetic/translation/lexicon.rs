//! The fixed lexicon: an English word, and its root in Velu.

/// A noun with a regular plural, or an adjective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub english: &'static str,
    pub velu: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verb {
    pub english: &'static str,
    /// `sees`.
    pub third: &'static str,
    /// `saw`.
    pub past: &'static str,
    pub velu: &'static str,
}

const fn word(english: &'static str, velu: &'static str) -> Word {
    Word { english, velu }
}

const fn verb(
    english: &'static str,
    third: &'static str,
    past: &'static str,
    velu: &'static str,
) -> Verb {
    Verb {
        english,
        third,
        past,
        velu,
    }
}

/// The suffix of a plural.
pub(super) const PLURAL: &str = "ri";
/// The suffix of the past.
pub(super) const PAST: &str = "ta";
/// Stands before a verb that is denied.
pub(super) const NOT: &str = "mu";
/// Ends a question.
pub(super) const QUESTION: &str = "ka";
/// The suffixes of a place, for the English prepositions.
pub(super) const PREPOSITIONS: [Word; 3] =
    [word("in", "na"), word("near", "su"), word("behind", "pe")];

/// Who can do something.
pub(super) const BEINGS: [Word; 18] = [
    word("cat", "miro"),
    word("dog", "kabu"),
    word("bird", "selu"),
    word("horse", "tanko"),
    word("cow", "bomu"),
    word("duck", "wepa"),
    word("goat", "gidu"),
    word("bear", "orbo"),
    word("frog", "pliku"),
    word("owl", "huvi"),
    word("girl", "lana"),
    word("boy", "deno"),
    word("king", "raxo"),
    word("queen", "rexi"),
    word("teacher", "ludo"),
    word("farmer", "agra"),
    word("friend", "amiso"),
    word("doctor", "medu"),
];

/// What something can be done with.
pub(super) const THINGS: [Word; 16] = [
    word("pen", "skipa"),
    word("book", "libo"),
    word("apple", "pomu"),
    word("ball", "runda"),
    word("cup", "tasu"),
    word("plate", "dishe"),
    word("coin", "moni"),
    word("toy", "ludi"),
    word("flower", "fiora"),
    word("lemon", "limu"),
    word("hat", "kapo"),
    word("key", "klavo"),
    word("lamp", "lumo"),
    word("stone", "petru"),
    word("boat", "navo"),
    word("letter", "karto"),
];

/// Where it can be done.
pub(super) const PLACES: [Word; 12] = [
    word("school", "skola"),
    word("station", "stavo"),
    word("market", "merku"),
    word("library", "bibla"),
    word("garden", "hortu"),
    word("park", "parno"),
    word("farm", "fendu"),
    word("village", "vilno"),
    word("forest", "silvo"),
    word("river", "fluma"),
    word("bridge", "ponte"),
    word("castle", "kastu"),
];

/// What things and beings can be.
pub(super) const ADJECTIVES: [Word; 12] = [
    word("red", "ruxa"),
    word("blue", "bluno"),
    word("green", "verdu"),
    word("white", "alba"),
    word("black", "nigro"),
    word("big", "grano"),
    word("small", "pikko"),
    word("old", "vetu"),
    word("new", "novu"),
    word("good", "bonu"),
    word("cold", "fredo"),
    word("heavy", "pesu"),
];

/// What can be done.
pub(super) const VERBS: [Verb; 8] = [
    verb("see", "sees", "saw", "vide"),
    verb("find", "finds", "found", "trova"),
    verb("take", "takes", "took", "preno"),
    verb("carry", "carries", "carried", "porto"),
    verb("wash", "washes", "washed", "lavo"),
    verb("buy", "buys", "bought", "kompo"),
    verb("hold", "holds", "held", "teno"),
    verb("love", "loves", "loved", "amo"),
];
