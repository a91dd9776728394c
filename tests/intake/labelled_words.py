"""Sentences as people write them in notes, searches and messages that say something of a special category, by language.

They were written down without the lists of words at hand, and no list is made longer because of them: what is found of
them says how well the lists do on sentences that they do not know.
"""

from collections.abc import Mapping, Sequence

SENTENCES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "health": (
            "off work with the flu until Monday", "reminder: physiotherapy at nine", "my mother has Alzheimer's and needs help",
            "is gluten in this? I am coeliac", "results of the biopsy came back", "she broke her hip last winter",
            "started chemotherapy in March", "I take insulin before lunch", "wheelchair access needed, I am paraplegic",
            "panic attacks again, calling my therapist", "HIV positive since 2012", "on sick leave for burnout",
        ),
        "religion": (
            "cannot meet on Friday, I go to the mosque", "fasting for Ramadan this month", "our parish choir meets on Tuesdays",
            "kosher meal for two please", "I was baptised in 1990", "he is a Buddhist monk", "she is a Jehovah's Witness",
            "I am an atheist, skip the prayer", "bar mitzvah of my nephew", "Sikh wedding in June",
        ),
        "race": (
            "he is black and was stopped again", "our family is Roma", "ethnic background: Pakistani", "as a Latina in this office",
            "of African descent", "mixed race couple looking for a flat", "she is of Asian origin",
        ),
        "sex-life": (
            "my husband and I, two men, want a double room", "she came out as lesbian", "he is bisexual", "looking for gay bars nearby",
            "trans woman, new name on the badge", "sexual orientation: prefer not to say", "using a dating app for queer people",
        ),
        "politics": (
            "canvassing for Labour this weekend", "I vote Republican", "member of the Green Party", "she is a communist",
            "donated to the Conservative campaign", "political opinions: far left", "he ran as a socialist candidate",
        ),
        "trade-union": (
            "on strike with my union", "shop steward since May", "union membership fee is due", "I joined Unison",
            "our trade union meets today", "collective bargaining starts tomorrow",
        ),
        "genetic-biometric": (
            "BRCA1 mutation confirmed", "uploaded my DNA test", "face recognition failed, enrol again", "iris scan at the gate",
            "the genome report is attached", "fingerprint scan of the employee",
        ),
    },
    "es": {
        "health": (
            "tengo cita con el oncólogo el martes", "está de baja por ansiedad", "mi hijo es celíaco", "le operaron de la rodilla",
            "estoy embarazada de cinco meses", "toma pastillas para la tensión", "diagnóstico de esclerosis múltiple",
            "va en silla de ruedas", "es diabético y necesita insulina", "tiene depresión desde hace años",
        ),
        "religion": (
            "vamos a misa los domingos", "es musulmana y lleva velo", "hace el Ramadán", "mi primera comunión", "soy ateo",
            "familia judía de Toledo", "es testigo de Jehová", "reza cinco veces al día",
        ),
        "race": (
            "es de etnia gitana", "le insultaron por ser negro", "de origen magrebí", "somos indígenas quechuas", "raza: mestiza",
        ),
        "sex-life": (
            "es gay y vive con su novio", "mi mujer y yo somos lesbianas", "salió del armario", "persona trans, nombre nuevo",
            "orientación sexual no declarada", "es bisexual",
        ),
        "politics": (
            "militante del PSOE", "vota a la derecha", "es comunista", "afiliado al Partido Popular", "campaña para las elecciones con los socialistas",
            "ideología política: anarquista",
        ),
        "trade-union": (
            "afiliada a Comisiones Obreras", "delegado sindical", "huelga convocada por el sindicato", "cuota de UGT", "el comité de empresa se reúne",
        ),
        "genetic-biometric": (
            "prueba de ADN adjunta", "huella dactilar del empleado", "reconocimiento facial en la entrada", "análisis genético pendiente",
            "lleva la mutación BRCA",
        ),
    },
    "de": {
        "health": (
            "bin bis Freitag krankgeschrieben", "hat Multiple Sklerose", "Termin beim Psychiater", "sie ist im sechsten Monat schwanger",
            "nimmt Blutdrucktabletten", "leidet unter Migräne", "Chemo beginnt im März", "sitzt im Rollstuhl", "mein Vater hat Demenz",
            "Allergie gegen Nüsse",
        ),
        "religion": (
            "freitags in der Moschee", "ist aus der Kirche ausgetreten", "wir sind Juden", "katholisch getauft", "fastet im Ramadan",
            "Konfirmation der Tochter", "sie ist Buddhistin", "ich bin Atheist",
        ),
        "race": (
            "ist schwarz und wurde kontrolliert", "Hautfarbe spielte eine Rolle", "Familie von Sinti und Roma", "ethnische Herkunft: kurdisch",
            "asiatischer Abstammung",
        ),
        "sex-life": (
            "er ist schwul", "lebt mit ihrer Freundin, sie sind lesbisch", "ist transsexuell", "bisexuell und offen", "Coming-out im Büro",
            "sexuelle Orientierung unbekannt",
        ),
        "politics": (
            "ist Mitglied der SPD", "wählt die Grünen", "Kommunist seit der Jugend", "Parteibuch der CDU", "politische Meinung: links",
            "demonstriert mit der AfD",
        ),
        "trade-union": (
            "Mitglied bei Verdi", "die IG Metall ruft zum Streik", "Gewerkschaft fragt nach dem Beitrag", "Betriebsrat gewählt",
            "gewerkschaftlich organisiert",
        ),
        "genetic-biometric": (
            "Gentest positiv", "DNA-Probe abgegeben", "Fingerabdruck des Mitarbeiters", "Gesichtserkennung am Eingang", "trägt eine Genmutation",
        ),
    },
    "fr": {
        "health": (
            "en arrêt maladie jusqu'à lundi", "elle est enceinte de six mois", "mon père a un cancer", "prend des antidépresseurs",
            "rendez-vous chez le psychiatre", "souffre de diabète", "est séropositif", "se déplace en fauteuil roulant", "allergique aux arachides",
            "fait une dépression",
        ),
        "religion": (
            "va à la messe le dimanche", "prie à la mosquée", "famille juive pratiquante", "fait le ramadan", "baptême de ma fille",
            "il est bouddhiste", "elle est athée", "repas halal s'il vous plaît",
        ),
        "race": (
            "contrôlé parce qu'il est noir", "d'origine maghrébine", "couleur de peau mentionnée", "famille rom", "origine ethnique inconnue",
        ),
        "sex-life": (
            "il est homosexuel", "ma femme et moi sommes lesbiennes", "personne transgenre", "a fait son coming out", "bisexuelle assumée",
            "orientation sexuelle non précisée",
        ),
        "politics": (
            "militant socialiste", "vote à l'extrême droite", "encarté au parti communiste", "adhérente des Verts", "opinions politiques de gauche",
            "colle des affiches pour le Rassemblement national",
        ),
        "trade-union": (
            "syndiquée à la CGT", "délégué syndical", "grève avec le syndicat", "cotisation à la CFDT", "élu au comité d'entreprise",
        ),
        "genetic-biometric": (
            "test ADN envoyé", "empreinte digitale de l'employé", "reconnaissance faciale à l'entrée", "analyse génétique en cours",
            "porteur d'une mutation génétique",
        ),
    },
}  # fmt: skip
