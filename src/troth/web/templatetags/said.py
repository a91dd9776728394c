"""`{{ name|say:"purpose" }}`: an identifier in human words."""

from django import template

from troth.web.words import say

register = template.Library()
register.filter("say", say)
